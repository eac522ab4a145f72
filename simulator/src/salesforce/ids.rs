//! Record ids: 15 characters that tell upper from lower case, and the same with a suffix of three that lets them survive
//! a system that doesn't.
//!
//! The model keeps the long form and takes both. A long form whose suffix doesn't fit is no id.

/// An id in its long form, 18 characters.
pub type RecordId = String;

const SUFFIXES: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// What stands between an object's prefix and the number.
const ORG_PART: &str = "5g0000";

/// The suffix of a short id: per group of five characters one of 32 letters, whose bits say which are upper case.
fn suffix(short: &str) -> String {
    short
        .as_bytes()
        .chunks(5)
        .map(|group| {
            let bits = group
                .iter()
                .enumerate()
                .filter(|(_, byte)| byte.is_ascii_uppercase())
                .fold(0_usize, |bits, (place, _)| bits | 1 << place);
            char::from(SUFFIXES[bits & 31])
        })
        .collect()
}

/// The `number`th id of an object; ids of one object sort by their numbers.
pub(super) fn made(prefix: &str, number: u64) -> RecordId {
    let mut digits = [b'0'; 6];
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(rest % 62) as usize];
        rest /= 62;
    }
    let mut id = format!("{prefix}{ORG_PART}");
    id.extend(digits.iter().map(|digit| char::from(*digit)));
    let suffix = suffix(&id);
    id + &suffix
}

/// The long form of what should be an id; `None` when it is none.
pub(super) fn canonical(text: &str) -> Option<RecordId> {
    if !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let (short, given) = text.split_at_checked(15)?;
    let suffix = suffix(short);
    (given.is_empty() || given == suffix).then(|| format!("{short}{suffix}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_one_id_and_a_wrong_suffix_is_none() {
        for (given, long) in [
            ("001Vr00000m4eGC", Some("001Vr00000m4eGCIAY")),
            ("001Vr00000m4eGCIAY", Some("001Vr00000m4eGCIAY")),
            ("001Vr00000m4eGCIAZ", None),
            ("001vr00000m4egcIAY", None),
            ("001Vr00000m4eG", None),
            ("001Vr00000m4eGCI", None),
            ("001Vr00000m4e-CIAY", None),
            ("", None),
        ] {
            assert_eq!(canonical(given).as_deref(), long, "{given}");
        }
    }

    #[test]
    fn made_ids_rise_and_are_their_own_canonical_form() {
        let ids: Vec<RecordId> = [0, 1, 9, 10, 35, 36, 61, 62, 3_843, 3_844, 1_000_000]
            .into_iter()
            .map(|number| made("003", number))
            .collect();
        assert!(ids.is_sorted());
        for id in ids {
            assert_eq!(id.len(), 18);
            assert_eq!(canonical(&id), Some(id.clone()));
            assert_eq!(canonical(id.get(..15).unwrap()), Some(id));
        }
    }
}
