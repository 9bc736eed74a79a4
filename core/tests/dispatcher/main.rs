//! What the dispatcher asks of a host, one behaviour at a time.

mod fake;
mod feeding;
mod interruption;
mod once;
mod pools;
mod rates;
mod relays;
mod retries;
mod ways;
