//! From method and path to the operation, its limit pool and the scopes it asks for.
//!
//! Both path families lead to the same operations: `/crm/v3/objects/…` (`v4` for associations) and
//! `/crm/objects/2026-09/…` (`/crm/associations/2026-09/…`). Whatever isn't listed here is unknown and gets a 404.

use super::limits::Pool;
use super::records::ObjectKind;
use crate::fakes::{Method, Request};

/// Date-based versions the model serves.
const DATED_VERSIONS: [&str; 2] = ["2026-03", "2026-09"];

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    Create(ObjectKind),
    List(ObjectKind),
    Read(ObjectKind, String),
    Update(ObjectKind, String),
    Archive(ObjectKind, String),
    BatchCreate(ObjectKind),
    BatchRead(ObjectKind),
    BatchUpdate(ObjectKind),
    BatchUpsert(ObjectKind),
    BatchArchive(ObjectKind),
    Search(ObjectKind),
    Associate {
        from: ObjectKind,
        id: String,
        to: ObjectKind,
        to_id: String,
    },
    ListAssociations {
        from: ObjectKind,
        id: String,
        to: ObjectKind,
    },
    /// Links of many records to an object.
    ReadAssociations {
        from: ObjectKind,
        to: ObjectKind,
    },
    Owners,
    Owner(String),
    DealPipelines,
    Dispositions,
    Properties(ObjectKind),
    CreateProperty(ObjectKind),
    Property(ObjectKind, String),
    PropertyGroups(ObjectKind),
    CreatePropertyGroup(ObjectKind),
    AccountDetails,
    DailyUsage,
    /// Scopes of a private app's token, given in the body.
    PrivateAppToken,
    /// Scopes of an OAuth token, given in the path.
    OauthToken(String),
}

impl Route {
    /// The operation of a request, `None` for an unknown path.
    pub(super) fn of(request: &Request) -> Option<Self> {
        let segments = request.segments();
        let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
        let method = request.method;
        match parts.as_slice() {
            ["crm", "v3", family, tail @ ..] => Self::crm(method, family, tail, false),
            ["calling", "v1", "dispositions"] if method == Method::Get => Some(Self::Dispositions),
            ["crm", "v4", "objects", tail @ ..] => Self::association(method, tail),
            ["crm", "v4", "associations", tail @ ..] => Self::associations(method, tail),
            ["crm", family, version, tail @ ..] if DATED_VERSIONS.contains(version) => {
                Self::crm(method, family, tail, true)
            }
            ["account-info", version, "details"]
                if method == Method::Get
                    && (*version == "v3" || DATED_VERSIONS.contains(version)) =>
            {
                Some(Self::AccountDetails)
            }
            [
                "account-info",
                version,
                "api-usage",
                "daily",
                "private-apps",
            ] if method == Method::Get
                && (*version == "v3" || DATED_VERSIONS.contains(version)) =>
            {
                Some(Self::DailyUsage)
            }
            ["oauth", "v2", "private-apps", "get", "access-token-info"]
                if method == Method::Post =>
            {
                Some(Self::PrivateAppToken)
            }
            ["oauth", "v1", "access-tokens", token] if method == Method::Get => {
                Some(Self::OauthToken((*token).to_owned()))
            }
            _ => None,
        }
    }

    fn crm(method: Method, family: &str, tail: &[&str], dated: bool) -> Option<Self> {
        let object = || tail.first().and_then(|name| ObjectKind::parse(name));
        match (family, method, tail) {
            ("objects", _, _) => {
                let plain = Self::object(method, object()?, tail.get(1..)?);
                // The dated family has the links under the same prefix.
                plain.or_else(|| dated.then(|| Self::association(method, tail)).flatten())
            }
            ("associations", _, _) if dated => Self::associations(method, tail),
            ("owners", Method::Get, []) => Some(Self::Owners),
            ("owners", Method::Get, [id]) => Some(Self::Owner((*id).to_owned())),
            ("pipelines", Method::Get, [_]) if object() == Some(ObjectKind::Deals) => {
                Some(Self::DealPipelines)
            }
            ("properties", Method::Get, [_]) => object().map(Self::Properties),
            ("properties", Method::Post, [_]) => object().map(Self::CreateProperty),
            // Before the properties by name: a property called `groups` can't be read by itself.
            ("properties", Method::Get, [_, "groups"]) => object().map(Self::PropertyGroups),
            ("properties", Method::Post, [_, "groups"]) => object().map(Self::CreatePropertyGroup),
            ("properties", Method::Get, [_, name]) => {
                object().map(|object| Self::Property(object, (*name).to_owned()))
            }
            _ => None,
        }
    }

    fn object(method: Method, object: ObjectKind, tail: &[&str]) -> Option<Self> {
        Some(match (method, tail) {
            (Method::Post, []) => Self::Create(object),
            (Method::Get, []) => Self::List(object),
            (Method::Post, ["search"]) => Self::Search(object),
            (Method::Post, ["batch", "create"]) => Self::BatchCreate(object),
            (Method::Post, ["batch", "read"]) => Self::BatchRead(object),
            (Method::Post, ["batch", "update"]) => Self::BatchUpdate(object),
            (Method::Post, ["batch", "upsert"]) => Self::BatchUpsert(object),
            (Method::Post, ["batch", "archive"]) => Self::BatchArchive(object),
            (Method::Get, [id]) => Self::Read(object, (*id).to_owned()),
            (Method::Patch, [id]) => Self::Update(object, (*id).to_owned()),
            (Method::Delete, [id]) => Self::Archive(object, (*id).to_owned()),
            _ => return None,
        })
    }

    fn association(method: Method, tail: &[&str]) -> Option<Self> {
        match (method, tail) {
            (Method::Put, [from, id, "associations", "default", to, to_id]) => {
                Some(Self::Associate {
                    from: ObjectKind::parse(from)?,
                    id: (*id).to_owned(),
                    to: ObjectKind::parse(to)?,
                    to_id: (*to_id).to_owned(),
                })
            }
            (Method::Get, [from, id, "associations", to]) => Some(Self::ListAssociations {
                from: ObjectKind::parse(from)?,
                id: (*id).to_owned(),
                to: ObjectKind::parse(to)?,
            }),
            _ => None,
        }
    }

    fn associations(method: Method, tail: &[&str]) -> Option<Self> {
        match (method, tail) {
            (Method::Post, [from, to, "batch", "read"]) => Some(Self::ReadAssociations {
                from: ObjectKind::parse(from)?,
                to: ObjectKind::parse(to)?,
            }),
            _ => None,
        }
    }

    /// The windows the request stands in.
    pub(super) fn pool(&self) -> Pool {
        match self {
            Self::Search(_) => Pool::Search,
            Self::PrivateAppToken | Self::OauthToken(_) => Pool::Free,
            _ => Pool::Interval,
        }
    }

    /// Scopes asked for: of each group the app must hold one.
    pub(super) fn scopes(&self) -> Vec<Vec<String>> {
        let objects = |object: &ObjectKind, right: &str| {
            vec![format!("crm.objects.{}.{right}", object.scope_name())]
        };
        let schemas = |object: &ObjectKind, right: &str| {
            vec![format!("crm.schemas.{}.{right}", object.scope_name())]
        };
        match self {
            Self::Create(object)
            | Self::Update(object, _)
            | Self::Archive(object, _)
            | Self::BatchCreate(object)
            | Self::BatchUpdate(object)
            | Self::BatchUpsert(object)
            | Self::BatchArchive(object) => vec![objects(object, "write")],
            Self::List(object)
            | Self::Read(object, _)
            | Self::BatchRead(object)
            | Self::Search(object) => vec![objects(object, "read")],
            Self::Associate { from, to, .. } => vec![objects(from, "write"), objects(to, "write")],
            Self::ListAssociations { from, to, .. } | Self::ReadAssociations { from, to } => {
                vec![objects(from, "read"), objects(to, "read")]
            }
            Self::Owners | Self::Owner(_) => vec![vec!["crm.objects.owners.read".to_owned()]],
            Self::Dispositions => vec![objects(&ObjectKind::Contacts, "read")],
            Self::DealPipelines => vec![either(
                schemas(&ObjectKind::Deals, "read"),
                objects(&ObjectKind::Deals, "read"),
            )],
            Self::Properties(object) | Self::Property(object, _) | Self::PropertyGroups(object) => {
                vec![either(schemas(object, "read"), objects(object, "read"))]
            }
            Self::CreateProperty(object) | Self::CreatePropertyGroup(object) => {
                vec![schemas(object, "write")]
            }
            Self::AccountDetails
            | Self::DailyUsage
            | Self::PrivateAppToken
            | Self::OauthToken(_) => Vec::new(),
        }
    }
}

fn either(mut one: Vec<String>, other: Vec<String>) -> Vec<String> {
    one.extend(other);
    one
}
