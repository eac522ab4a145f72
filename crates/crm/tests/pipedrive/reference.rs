//! Requests for reference data, against the part of Pipedrive's API description that is used, and what they cost there.

use callflume_core::reference::{OWNERS, PIPELINES, Page, STAGES};
use callflume_crm::pipedrive::limits::DAILY_TOKENS;

use crate::pipedrive;
use crate::schema::{tokens, violations};

#[test]
fn every_page_is_described_and_charged_what_it_costs() {
    for (what, mark) in [
        (OWNERS, None),
        (PIPELINES, None),
        (PIPELINES, Some("b2Zm/c2V0=")),
        (STAGES, None),
        (STAGES, Some("b2Zm/c2V0=")),
    ] {
        let pipedrive = pipedrive();
        let references = pipedrive.references().unwrap();
        let page = Page {
            what,
            mark: mark.map(str::to_owned),
        };
        let request = references.request(&page);
        assert_eq!(violations(&request), [""; 0], "{}", request.path);
        let charged = references
            .charges(&page)
            .iter()
            .find(|charge| charge.window == DAILY_TOKENS)
            .map(|charge| charge.cost);
        assert_eq!(charged, Some(tokens(&request)));
    }
}
