//! `dead drop`: removing letters that need no replay. What is removed is named, for it can't be had back.

use callflume_jetstream::Error;
use callflume_jetstream::dead::DeadLetters;

use super::{absent, named, outcome};
use crate::cli::DeadDrop;
use crate::commands::Session;
use crate::failure::Exit;
use crate::output::mark;

pub(super) async fn run(
    session: &Session,
    letters: &DeadLetters,
    args: &DeadDrop,
) -> anyhow::Result<Exit> {
    let mut missing = Vec::new();
    for &seq in &args.seqs {
        let stored = match letters.show(seq).await {
            Ok(Some(stored)) => Some(stored),
            Ok(None) => {
                let data = outcome(seq, None, "not_there");
                session
                    .output
                    .data(&data, || format!("{} {seq} is not there", mark('✗')))?;
                missing.push(seq);
                continue;
            }
            // Something that is no dead letter at all.
            Err(Error::Unexpected { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        letters.delete(seq).await?;
        let data = outcome(seq, stored.as_ref(), "dropped");
        session.output.data(&data, || {
            let name = stored.as_ref().map_or_else(|| seq.to_string(), named);
            format!("{} {name} dropped", mark('✓'))
        })?;
    }
    if missing.is_empty() {
        Ok(Exit::Done)
    } else {
        Err(absent(&missing).into())
    }
}
