//! Requests for reference data, against the part of Close's OpenAPI that is used.

use callflume_core::reference::{OWNERS, PIPELINES, Page};
use callflume_core::vendor::Vendor as _;

use crate::schema::faults;
use crate::support::close;

#[test]
fn every_page_is_a_request_of_the_openapi() {
    for (what, mark) in [(OWNERS, None), (OWNERS, Some("100")), (PIPELINES, None)] {
        let mark = mark.map(str::to_owned);
        let close = close();
        let request = close.references().unwrap().request(&Page { what, mark });
        assert_eq!(faults(&request), [""; 0], "{}", request.path);
    }
}
