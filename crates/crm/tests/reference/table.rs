//! Every listing of every CRM: its request, and what is read of an answer. Values are our own.

use callflume_core::reference::{DISPOSITIONS, OWNERS, PIPELINES, Page, STAGES};
use serde_json::{Value, json};

use crate::page;

/// Every listing of every CRM in the order of reading: its request, a body, what is read of it, what comes next.
pub(crate) struct Row {
    pub(crate) vendor: &'static str,
    pub(crate) page: Page,
    pub(crate) path: &'static str,
    pub(crate) body: Value,
    pub(crate) shown: &'static [&'static str],
    pub(crate) next: Option<Page>,
}

pub(crate) fn table() -> Vec<Row> {
    let mut rows = hubspot();
    rows.extend(salesforce());
    rows.extend(close());
    rows.extend(pipedrive());
    rows
}

fn hubspot() -> Vec<Row> {
    let owner = |id: &str, email: &str| json!({"id": id, "email": email, "firstName": "Ida", "lastName": "Beck", "userId": 5, "archived": false});
    vec![
        Row {
            vendor: "hubspot",
            page: page(OWNERS, ""),
            path: "/crm/v3/owners/?limit=100",
            body: json!({"results": [owner("71", "ida@example.com"), owner("72", "")],
                "paging": {"next": {"after": "NzI=", "link": "https://…"}}}),
            shown: &["71 ida@example.com true", "72  true"],
            next: Some(page(OWNERS, "NzI=")),
        },
        Row {
            vendor: "hubspot",
            page: page(OWNERS, "NzI="),
            path: "/crm/v3/owners/?limit=100&after=NzI%3D",
            body: json!({"results": [owner("73", "olu@example.com")]}),
            shown: &["73 olu@example.com true"],
            next: Some(page(PIPELINES, "")),
        },
        Row {
            vendor: "hubspot",
            page: page(PIPELINES, ""),
            path: "/crm/v3/pipelines/deals",
            body: json!({"results": [
                {"id": "default", "label": "New business", "archived": false, "stages": [
                    {"id": "qualifiedtobuy", "label": "Qualified", "archived": false},
                    {"id": "8001", "label": "Old one", "archived": true},
                    {"id": 8002, "label": "By number", "metadata": {"isClosed": "true", "probability": "1.0"}}]},
                {"id": "old", "label": "Gone", "archived": true, "stages": []}]}),
            shown: &["default New business: qualifiedtobuy Qualified, 8002 By number over"],
            next: Some(page(DISPOSITIONS, "")),
        },
        Row {
            vendor: "hubspot",
            page: page(DISPOSITIONS, ""),
            path: "/calling/v1/dispositions",
            body: json!([{"id": "aa-1", "label": "Connected", "deleted": false},
                {"id": "aa-2", "label": "Gone", "deleted": true}]),
            shown: &["aa-1 Connected"],
            next: None,
        },
    ]
}

fn salesforce() -> Vec<Row> {
    vec![
        Row {
            vendor: "salesforce",
            page: page(OWNERS, ""),
            path: "/services/data/v66.0/query?q=SELECT%20Id%2CEmail%20FROM%20User%20WHERE%20IsActive%20%3D%20true\
                   %20AND%20UserType%20%3D%20%27Standard%27%20ORDER%20BY%20Id",
            body: json!({"totalSize": 2001, "done": false,
                "nextRecordsUrl": "/services/data/v66.0/query/01g5g0000AbC-2000",
                "records": [{"attributes": {"type": "User"}, "Id": "0055g00000AAAA1AAA", "Email": "ida@example.com"}]}),
            shown: &["0055g00000AAAA1AAA ida@example.com true"],
            next: Some(page(OWNERS, "01g5g0000AbC-2000")),
        },
        Row {
            vendor: "salesforce",
            page: page(OWNERS, "01g5g0000AbC-2000"),
            path: "/services/data/v66.0/query/01g5g0000AbC-2000",
            body: json!({"totalSize": 2001, "done": true, "records": []}),
            shown: &[],
            next: Some(page(STAGES, "")),
        },
        Row {
            vendor: "salesforce",
            page: page(STAGES, ""),
            path: "/services/data/v66.0/query?q=SELECT%20ApiName%2CMasterLabel%2CIsClosed%20FROM%20OpportunityStage\
                   %20WHERE%20IsActive%20%3D%20true%20ORDER%20BY%20SortOrder",
            body: json!({"totalSize": 2, "done": true,
                "records": [{"ApiName": "Proposal", "MasterLabel": "Offer sent", "IsClosed": false},
                    {"ApiName": "Signed", "MasterLabel": "Signed", "IsClosed": true}]}),
            shown: &[" : Proposal Offer sent, Signed Signed over"],
            next: None,
        },
    ]
}

fn close() -> Vec<Row> {
    vec![
        Row {
            vendor: "close",
            page: page(OWNERS, ""),
            path: "/api/v1/user/?_limit=100&_skip=0",
            body: json!({"has_more": true, "total_results": 2, "data": [
                {"id": "user_71", "email": "ida@example.com", "first_name": "Ida", "organizations": ["orga_1"]}]}),
            shown: &["user_71 ida@example.com true"],
            next: Some(page(OWNERS, "1")),
        },
        Row {
            vendor: "close",
            page: page(OWNERS, "1"),
            path: "/api/v1/user/?_limit=100&_skip=1",
            body: json!({"has_more": false, "data": [{"id": "user_72", "email": null}]}),
            shown: &["user_72  true"],
            next: Some(page(PIPELINES, "")),
        },
        Row {
            vendor: "close",
            page: page(PIPELINES, ""),
            path: "/api/v1/pipeline/",
            body: json!({"data": [{"id": "pipe_1", "name": "Sales", "statuses": [
                {"id": "stat_20", "label": "Talking", "type": "active"},
                {"id": "stat_22", "label": "Won", "type": "won"}]}]}),
            shown: &["pipe_1 Sales: stat_20 Talking, stat_22 Won over"],
            next: None,
        },
    ]
}

fn pipedrive() -> Vec<Row> {
    vec![
        Row {
            vendor: "pipedrive",
            page: page(OWNERS, ""),
            path: "/api/v1/users",
            body: json!({"success": true, "data": [
                {"id": 31, "name": "Ida Beck", "email": "ida@example.com", "active_flag": true, "is_deleted": false},
                {"id": 32, "name": "Olu Ade", "email": "olu@example.com", "active_flag": false, "is_deleted": false},
                {"id": 33, "name": "Left", "email": "left@example.com", "active_flag": false, "is_deleted": true}]}),
            shown: &["31 ida@example.com true", "32 olu@example.com false"],
            next: Some(page(PIPELINES, "")),
        },
        Row {
            vendor: "pipedrive",
            page: page(PIPELINES, ""),
            path: "/api/v2/pipelines?limit=500",
            body: json!({"success": true, "data": [{"id": 1, "name": "Sales", "order_nr": 1, "is_deleted": false}],
                "additional_data": {"next_cursor": "b2Zmc2V0"}}),
            shown: &["1 Sales: "],
            next: Some(page(PIPELINES, "b2Zmc2V0")),
        },
        Row {
            vendor: "pipedrive",
            page: page(PIPELINES, "b2Zmc2V0"),
            path: "/api/v2/pipelines?limit=500&cursor=b2Zmc2V0",
            body: json!({"success": true, "data": [{"id": 2, "name": "Gone", "is_deleted": true}],
                "additional_data": {"next_cursor": null}}),
            shown: &[],
            next: Some(page(STAGES, "")),
        },
        Row {
            vendor: "pipedrive",
            page: page(STAGES, ""),
            path: "/api/v2/stages?limit=500",
            body: json!({"success": true, "data": [
                {"id": 1, "name": "Qualified", "pipeline_id": 1, "is_deleted": false},
                {"id": 9, "name": "Gone", "pipeline_id": 1, "is_deleted": true}],
                "additional_data": {"next_cursor": null}}),
            shown: &["1 : 1 Qualified"],
            next: None,
        },
    ]
}
