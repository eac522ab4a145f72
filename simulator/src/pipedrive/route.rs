//! Which operation a request is, what it costs, and which window it stands in.
//!
//! Costs are the vendor's published ones (`x-token-cost` of its API description): the older version costs twice as much.

use super::config::FieldOwner;
use super::limits::Pool;
use super::records::{Kind, RecordId};
use crate::fakes::{Method, Request};

/// An operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    List(Kind),
    Create(Kind),
    Read(Kind, RecordId),
    Update(Kind, RecordId),
    Delete(Kind, RecordId),
    SearchPersons,
    Fields(FieldOwner),
    CreateField(FieldOwner),
    Pipelines,
    Stages,
    Users,
    Me,
    ActivityTypes,
    /// Forms of persons, activities and deals that the older version had until 2025.
    Retired,
}

impl Route {
    /// The operation of a request; none for an unknown path or method.
    pub(super) fn of(request: &Request) -> Option<Self> {
        let path = request.path.strip_prefix("/api").unwrap_or(&request.path);
        let segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let (version, rest) = segments.split_first()?;
        match (*version, rest, request.method) {
            ("v2", ["persons", "search"], Method::Get) => Some(Self::SearchPersons),
            ("v2", ["personFields"], Method::Get) => Some(Self::Fields(FieldOwner::Person)),
            ("v2", ["personFields"], Method::Post) => Some(Self::CreateField(FieldOwner::Person)),
            ("v2", ["dealFields"], Method::Get) => Some(Self::Fields(FieldOwner::Deal)),
            ("v2", ["dealFields"], Method::Post) => Some(Self::CreateField(FieldOwner::Deal)),
            ("v2", ["pipelines"], Method::Get) => Some(Self::Pipelines),
            ("v2", ["stages"], Method::Get) => Some(Self::Stages),
            ("v1", ["users"], Method::Get) => Some(Self::Users),
            ("v1", ["users", "me"], Method::Get) => Some(Self::Me),
            ("v1", ["activityTypes"], Method::Get) => Some(Self::ActivityTypes),
            ("v1", ["persons" | "activities" | "deals", ..], _) => Some(Self::Retired),
            (version, [plural], method) => {
                let kind = Kind::of(version, plural)?;
                match method {
                    Method::Get => Some(Self::List(kind)),
                    Method::Post => Some(Self::Create(kind)),
                    _ => None,
                }
            }
            (version, [plural, id], method) => {
                let kind = Kind::of(version, plural)?;
                let id = if kind == Kind::CallLog {
                    id.strip_prefix("CA").unwrap_or(id)
                } else {
                    id
                };
                let id = id.parse().ok()?;
                let updates = match kind {
                    Kind::Note => method == Method::Put,
                    Kind::CallLog => false,
                    Kind::Person | Kind::Activity | Kind::Deal => method == Method::Patch,
                };
                match method {
                    Method::Get => Some(Self::Read(kind, id)),
                    Method::Delete => Some(Self::Delete(kind, id)),
                    _ if updates => Some(Self::Update(kind, id)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Price in tokens.
    pub(super) const fn tokens(self) -> u32 {
        let (tokens, older) = match self {
            Self::List(kind) => (10, kind.is_v1()),
            Self::Create(kind) | Self::Update(kind, _) => (5, kind.is_v1()),
            Self::Read(kind, _) => (1, kind.is_v1()),
            Self::Delete(kind, _) => (3, kind.is_v1()),
            Self::SearchPersons => (20, false),
            Self::Fields(_) => (10, false),
            Self::CreateField(_) | Self::Pipelines | Self::Stages => (5, false),
            Self::Users | Self::ActivityTypes => (10, true),
            Self::Me | Self::Retired => (1, true),
        };
        if older { tokens * 2 } else { tokens }
    }

    pub(super) const fn pool(self) -> Pool {
        match self {
            Self::SearchPersons => Pool::Search,
            _ => Pool::Burst,
        }
    }
}
