//! Requests for reference data, against the structure of Salesforce's interface.

use callflume_core::reference::{OWNERS, Page, STAGES};
use callflume_core::vendor::Vendor as _;

use crate::schema::violations;
use crate::support::{query, salesforce};

#[test]
fn every_page_is_a_request_of_the_interface() {
    for (what, mark, object) in [
        (OWNERS, None, "User"),
        (OWNERS, Some("01g5g0000AbC-2000"), ""),
        (STAGES, None, "OpportunityStage"),
    ] {
        let mark = mark.map(str::to_owned);
        let salesforce = salesforce();
        let request = salesforce
            .references()
            .unwrap()
            .request(&Page { what, mark });
        assert_eq!(violations(&request), [""; 0], "{}", request.path);
        if !object.is_empty() {
            assert!(query(&request).contains(&format!("FROM {object} ")));
        }
    }
}
