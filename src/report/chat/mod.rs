//! Messages as chats and webhooks take them: within each provider's limits whatever is in them, cut
//! at whole lines with where to see the rest.

mod cloudevents;
mod page;
mod slack;
mod teams;

#[cfg(test)]
mod tests;

pub use cloudevents::{MAX_BYTES as CLOUDEVENT_BYTES, cloudevent};
pub use slack::slack;
pub use teams::{MAX_BYTES as TEAMS_BYTES, teams};
