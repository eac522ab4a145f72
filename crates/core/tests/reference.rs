//! Names to ids: the table in the documentation of `ReferenceRecord::resolve`, row by row.

use callflume_core::effect::{Field, Fields, Object, Value};
use callflume_core::reference::{
    Named, Naming, Owner, Page, PageReading, Pipeline, RECORD_MAX_BYTES, ReferenceRecord,
    References, Resolved,
};
use callflume_core::vendor::{Answer, Charge, HttpRequest, Observation};

/// A CRM whose ids begin with `#`; `won` is a word of its own.
struct Hashes;

impl References for Hashes {
    fn first(&self) -> Page {
        Page::first("owners")
    }

    fn request(&self, _page: &Page) -> HttpRequest {
        unreachable!("nothing is read here")
    }

    fn charges(&self, _page: &Page) -> &'static [Charge] {
        &[]
    }

    fn observe(&self, _page: &Page, _headers: &[(String, String)]) -> Vec<Observation> {
        Vec::new()
    }

    fn interpret(&self, _page: &Page, _answer: &Answer) -> PageReading {
        unreachable!("nothing is read here")
    }

    fn naming(&self, _object: Object, field: &Field, text: &str) -> Naming {
        match field {
            Field::Owner if text.contains('@') => Naming::Name,
            Field::Owner => Naming::Id,
            _ if text == "won" => Naming::Id,
            _ if text.starts_with('#') => Naming::Unsure,
            _ => Naming::Name,
        }
    }
}

fn named(id: &str, label: &str) -> Named {
    Named {
        id: id.into(),
        label: label.into(),
    }
}

fn owner(id: &str, email: &str, active: bool) -> Owner {
    Owner {
        id: id.into(),
        email: email.into(),
        active,
    }
}

fn pipeline(id: &str, label: &str, stages: &[(&str, &str)]) -> Pipeline {
    Pipeline {
        id: id.into(),
        label: label.into(),
        stages: stages.iter().map(|(id, label)| named(id, label)).collect(),
        closed: Vec::new(),
    }
}

fn record() -> ReferenceRecord {
    ReferenceRecord {
        owners: vec![
            owner("#1", "Old@Example.com", false),
            owner("#2", "Old@Example.com", true),
            owner("#3", "zoë@example.com", true),
            owner("#4", "", true),
        ],
        pipelines: vec![
            pipeline(
                "#a",
                "New",
                &[("#a1", "First"), ("#a2", "Last"), ("#a3", "Won")],
            ),
            pipeline("#b", "Old", &[("#b1", "First"), ("#b2", "Renewal")]),
        ],
        ..ReferenceRecord::default()
    }
}

const WHOLE: Resolved = Resolved {
    owner_unknown: false,
    label_unknown: false,
};
const NO_OWNER: Resolved = Resolved {
    owner_unknown: true,
    ..WHOLE
};
const NO_LABEL: Resolved = Resolved {
    label_unknown: true,
    ..WHOLE
};

/// Owner, pipeline, stage, what they become, and what is said of it. Empty for none.
type Row = ([&'static str; 3], [&'static str; 3], Resolved);

const TABLE: &[Row] = &[
    // Nothing is nothing.
    (["", "", ""], ["", "", ""], WHOLE),
    // An owner.
    (["old@example.com", "", ""], ["#2", "", ""], WHOLE),
    ([" OLD@example.com ", "", ""], ["#2", "", ""], WHOLE),
    (["ZOË@example.com", "", ""], ["#3", "", ""], WHOLE),
    (["nobody@example.com", "", ""], ["", "", ""], NO_OWNER),
    (["#9", "", ""], ["#9", "", ""], WHOLE),
    // A pipeline.
    (["", "#a", ""], ["", "#a", ""], WHOLE),
    (["", "new", ""], ["", "#a", ""], WHOLE),
    (["", "Newest", ""], ["", "Newest", ""], NO_LABEL),
    // A stage: of any pipeline in their order, of the given one first.
    (["", "", "#b1"], ["", "", "#b1"], WHOLE),
    (["", "", "first"], ["", "", "#a1"], WHOLE),
    (["", "", "renewal"], ["", "", "#b2"], WHOLE),
    (["", "#b", "FIRST"], ["", "#b", "#b1"], WHOLE),
    (["", "OLD", "First"], ["", "#b", "#b1"], WHOLE),
    (["", "#b", "Last"], ["", "#b", "#a2"], WHOLE),
    (["", "Newest", "First"], ["", "Newest", "#a1"], NO_LABEL),
    (["", "", "Lost"], ["", "", "Lost"], NO_LABEL),
    (["", "", "#z"], ["", "", "#z"], NO_LABEL),
    // What the CRM understands is never replaced, whatever has that label.
    (["", "", "won"], ["", "", "won"], WHOLE),
    (["", "", "Won"], ["", "", "#a3"], WHOLE),
];

#[test]
fn each_name_becomes_its_id() {
    let record = record();
    for (said, becomes, expect) in TABLE {
        let fields = |texts: &[&str; 3]| -> Fields {
            [Field::Owner, Field::Pipeline, Field::Stage]
                .into_iter()
                .zip(texts)
                .filter(|(_, text)| !text.is_empty())
                .map(|(field, text)| (field, Value::Text((*text).to_owned())))
                .collect()
        };
        let mut found = fields(said);
        let resolved = record.resolve(Object::Deal, &mut found, &Hashes);
        assert_eq!(found, fields(becomes), "{said:?}");
        assert_eq!(resolved, *expect, "{said:?}");
    }
}

#[test]
fn without_data_nothing_is_known_and_other_fields_are_left_alone() {
    let mut fields = Fields::from([
        (Field::Owner, Value::Text("old@example.com".into())),
        (Field::Stage, Value::Text("First".into())),
        (Field::Title, Value::Text("old@example.com".into())),
    ]);
    let resolved = ReferenceRecord::default().resolve(Object::Deal, &mut fields, &Hashes);
    assert!(resolved.owner_unknown && resolved.label_unknown);
    let names: Vec<String> = fields.keys().map(Field::name).collect();
    assert_eq!(names, ["title", "stage"]);
}

#[test]
fn pages_come_together_to_one_record_of_bounded_size() {
    let mut whole = ReferenceRecord::default();
    let page = |pipelines| ReferenceRecord {
        pipelines,
        ..ReferenceRecord::default()
    };
    whole.add(page(vec![
        pipeline("1", "New", &[]),
        pipeline("2", "Old", &[]),
    ]));
    whole.add(page(vec![pipeline("2", "", &[("20", "First")])]));
    whole.add(page(vec![pipeline("2", "", &[("21", "Last")])]));
    let expect = [
        pipeline("1", "New", &[]),
        pipeline("2", "Old", &[("20", "First"), ("21", "Last")]),
    ];
    assert_eq!(whole.pipelines, expect);
    let crowd = || ReferenceRecord {
        owners: (0..20_000)
            .map(|n| owner(&n.to_string(), &format!("person-{n}@example.com"), true))
            .collect(),
        ..ReferenceRecord::default()
    };
    whole.add(crowd());
    whole.add(crowd());
    let stored = serde_json::to_vec(&whole).unwrap();
    assert!(
        (RECORD_MAX_BYTES / 2..RECORD_MAX_BYTES * 5 / 4).contains(&stored.len()),
        "{}",
        stored.len()
    );
    assert_eq!(
        serde_json::from_slice::<ReferenceRecord>(&stored).unwrap(),
        whole
    );
}

#[test]
fn no_address_shows_in_logs() {
    let text = format!("{:?} {:?}", record(), record().owners);
    assert!(!text.contains("example.com"), "{text}");
}

#[test]
fn a_stage_in_which_deals_are_over_is_known_where_its_pipeline_tells() {
    let mut record = ReferenceRecord::default();
    let told = |id: &str, stages: &[(&str, &str)], closed: &[&str]| Pipeline {
        closed: closed.iter().map(|id| (*id).to_owned()).collect(),
        ..pipeline(id, id, stages)
    };
    record.add(ReferenceRecord {
        pipelines: vec![
            told("#a", &[("#1", "First"), ("#2", "Won")], &["#2"]),
            told("#b", &[("#3", "Last"), ("#4", "Won")], &[]),
        ],
        ..ReferenceRecord::default()
    });
    for (stage, within, expect) in [
        ("#2", None, Some(true)),
        ("won", Some("#a"), Some(true)),
        ("#1", None, Some(false)),
        // Of this pipeline nothing was told.
        ("won", Some("#b"), None),
        ("#3", None, None),
        ("elsewhere", None, None),
    ] {
        assert_eq!(record.is_over(stage, within), expect, "{stage} {within:?}");
    }
}
