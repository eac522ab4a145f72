//! The properties every account has, as far as a voice integration can meet them.
//!
//! Names and options are the vendor's; the list is not complete, and a name that is missing here is refused like a typo.

use super::properties::ValueKind;
use super::records::ObjectKind;

/// The standard properties a voice integration can meet.
pub(super) fn standard_properties(object: ObjectKind) -> Vec<(&'static str, ValueKind)> {
    use ValueKind::{Choice, DateTime, Email, Number, Owner, Pipeline, ReadOnly, Stage, Text};
    let choice = |values: &[&str]| Choice(values.iter().map(|&it| it.to_owned()).collect());
    let texts = |names: &[&'static str]| -> Vec<_> { names.iter().map(|&it| (it, Text)).collect() };
    let mut properties = vec![
        ("hs_object_id", ReadOnly),
        ("hubspot_owner_id", Owner),
        (object.created_property(), ReadOnly),
        (object.modified_property(), ReadOnly),
    ];
    match object {
        ObjectKind::Contacts => {
            properties.extend(texts(&[
                "firstname",
                "lastname",
                "phone",
                "mobilephone",
                "company",
                "jobtitle",
                "address",
                "city",
                "state",
                "zip",
                "country",
                "website",
                "message",
                "salutation",
                "hs_lead_status",
                "hs_language",
                "hs_timezone",
            ]));
            properties.extend([
                ("email", Email),
                (
                    "lifecyclestage",
                    choice(&[
                        "subscriber",
                        "lead",
                        "marketingqualifiedlead",
                        "salesqualifiedlead",
                        "opportunity",
                        "customer",
                        "evangelist",
                        "other",
                    ]),
                ),
                ("hs_searchable_calculated_phone_number", ReadOnly),
                ("hs_searchable_calculated_mobile_number", ReadOnly),
            ]);
        }
        ObjectKind::Calls => {
            properties.extend(texts(&[
                "hs_call_title",
                "hs_call_body",
                "hs_call_disposition",
                "hs_call_from_number",
                "hs_call_to_number",
                "hs_call_recording_url",
                "hs_call_source",
                "hs_call_external_id",
                "hs_call_external_account_id",
                "hs_call_app_id",
                "hs_call_callee_object_id",
                "hs_call_callee_object_type_id",
                "hs_call_video_recording_url",
                "hs_call_has_transcript",
                "hs_activity_type",
                "hs_attachment_ids",
            ]));
            properties.extend([
                ("hs_timestamp", DateTime),
                ("hs_call_duration", Number),
                ("hs_call_direction", choice(&["INBOUND", "OUTBOUND"])),
                (
                    "hs_call_status",
                    choice(&[
                        "BUSY",
                        "CALLING_CRM_USER",
                        "CANCELED",
                        "COMPLETED",
                        "CONNECTING",
                        "FAILED",
                        "IN_PROGRESS",
                        "NO_ANSWER",
                        "QUEUED",
                        "RINGING",
                    ]),
                ),
            ]);
        }
        ObjectKind::Notes => {
            properties.extend(texts(&["hs_note_body", "hs_attachment_ids"]));
            properties.push(("hs_timestamp", DateTime));
        }
        ObjectKind::Tasks => {
            properties.extend(texts(&[
                "hs_task_subject",
                "hs_task_body",
                "hs_task_reminders",
                "hs_queue_membership_ids",
            ]));
            properties.extend([
                ("hs_timestamp", DateTime),
                (
                    "hs_task_status",
                    choice(&[
                        "NOT_STARTED",
                        "IN_PROGRESS",
                        "WAITING",
                        "COMPLETED",
                        "DEFERRED",
                    ]),
                ),
                (
                    "hs_task_priority",
                    choice(&["LOW", "MEDIUM", "HIGH", "NONE"]),
                ),
                ("hs_task_type", choice(&["CALL", "EMAIL", "TODO"])),
            ]);
        }
        ObjectKind::Deals => {
            properties.extend(texts(&[
                "dealname",
                "dealtype",
                "description",
                "hs_next_step",
                "hs_priority",
            ]));
            properties.extend([
                ("pipeline", Pipeline),
                ("dealstage", Stage),
                ("amount", Number),
                ("closedate", DateTime),
                ("hs_is_closed", ReadOnly),
            ]);
        }
    }
    properties
}
