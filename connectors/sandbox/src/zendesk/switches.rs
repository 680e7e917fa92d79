//! What the sheet remembers without a source, and policies that differ from account to account, so that a run can
//! have it either way.

use serde::{Deserialize, Serialize};

/// What happens to a comment longer than the limit (sheet 2.7: staff and users disagree).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LongComment {
    /// Cut to the limit without a word.
    Truncate,
    /// Refused with 422.
    Refuse,
}

/// Behaviours that are not certain of the real thing, policies of an account, and times a test cannot wait for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent behaviour")]
pub struct Switches {
    /// The search index learns of a write only after so many milliseconds; lists and single records at once
    /// (sheet 2.2). 0 to 600,000.
    pub search_lag_ms: u64,
    /// A search for a phone number with `+` or punctuation is 422, so that nobody relies on it; off, it finds nothing.
    pub phone_plus_refused: bool,
    /// One request per second for an account and five per minute for a user, at create_or_update and updates of users
    /// (sheet 2.1).
    pub user_upsert_limits: bool,
    /// 30 updates of one ticket by one user in ten minutes (sheet 2.6).
    pub ticket_update_limit: bool,
    /// Requests of an account in a minute, for the headers (sheet 2.6; 700 is Enterprise).
    pub account_per_minute: u32,
    /// Going over the account's limits (all requests, 300 new tickets and 100 ticket updates a minute) is 429.
    pub account_enforced: bool,
    /// What happens to comments over `comment_bytes_max`.
    pub long_comment: LongComment,
    /// Bytes of a comment's text.
    pub comment_bytes_max: usize,
    /// Comments of a ticket before 422.
    pub comments_max: usize,
    /// `description` instead of `comment` makes a ticket (from memory; old clients rely on it).
    pub description_creates: bool,
    /// A new ticket that is solved needs an assignee (from memory).
    pub solved_needs_assignee: bool,
    /// An upload token that is unknown or used up is 422; off, it is ignored (from memory).
    pub unknown_upload_refused: bool,
    /// A user folded into another answers 404; off, it answers as inactive (from memory).
    pub merged_user_gone: bool,
    /// Tokens that belong to API (Basic) are taken (sheet 1.1: none can be made any more, all end on 2027-04-30).
    pub api_tokens: bool,
    /// `/oauth/tokens` takes forms beside JSON (from memory).
    pub oauth_form: bool,
    /// The authorize page is answered by a person who denies.
    pub oauth_denied: bool,
    /// HTTP status of a grant that worked: Zendesk's own tool wants 200, its description says 201.
    pub oauth_status: u16,
    /// Life of an access token in seconds; none lives for ever, as old clients' tokens do (sheet 1.2).
    pub access_token_s: Option<u64>,
    /// Life of a refresh token in seconds.
    pub refresh_token_s: u64,
    /// Life of an authorization code in seconds.
    pub code_s: u64,
    /// How long an idempotency key is remembered, in seconds.
    pub idempotency_s: u64,
    /// The body under an idempotency key must be the same byte for byte; off, the same JSON.
    pub idempotency_bytes: bool,
    /// How long an upload is kept that no comment took, in seconds.
    pub upload_s: u64,
    /// How long a job waits and works, in milliseconds.
    pub job_ms: u64,
    /// The account has Talk Partner Edition.
    pub talk_partner: bool,
    /// HTTP status of Talk Partner's addresses without a licence (undocumented).
    pub talk_partner_refusal: u16,
    /// "Validate user phone numbers" is on: what is not E.164 is 422.
    pub validate_phones: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            search_lag_ms: 0,
            phone_plus_refused: true,
            user_upsert_limits: true,
            ticket_update_limit: true,
            account_per_minute: 700,
            account_enforced: false,
            long_comment: LongComment::Truncate,
            comment_bytes_max: 65_535,
            comments_max: 5_000,
            description_creates: true,
            solved_needs_assignee: true,
            unknown_upload_refused: true,
            merged_user_gone: true,
            api_tokens: true,
            oauth_form: false,
            oauth_denied: false,
            oauth_status: 200,
            access_token_s: Some(1_800),
            refresh_token_s: 2_592_000,
            code_s: 120,
            idempotency_s: 7_200,
            idempotency_bytes: true,
            upload_s: 259_200,
            job_ms: 0,
            talk_partner: true,
            talk_partner_refusal: 403,
            validate_phones: false,
        }
    }
}
