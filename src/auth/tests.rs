//! The doorkeeper, tried from outside.

use super::*;
use crate::settings::load_text;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use tieline_model::Timestamp;

struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

const START: i64 = 1_800_000_000_000;
const SHARED: &str = "an-issuer-key-of-thirty-two-chars-and-more";

fn setup() -> (Auth, Arc<Hand>) {
    let hash = hash_password(&Secret::new("correct horse")).unwrap();
    let text = format!(
        r#"
        [auth.producers.pbx]
        tenant = "acme"
        token = "pbx-token-0123456789-0123456789"
        [auth.issuers.company]
        tenant = "acme"
        issuer = "https://login.example.com"
        audience = "tieline"
        algorithm = "HS256"
        key = "{SHARED}"
        agent_claim = "agent"
        [tenants.acme.agents.anna]
        name = "Anna Berg"
        password_hash = "{hash}"
        [tenants.acme.agents.bert]
        supervisor = true
        [tenants.other.agents.anna]
        "#
    );
    let settings = load_text(&text, HashMap::new()).unwrap();
    let clock = Arc::new(Hand(AtomicI64::new(START)));
    (Auth::new(&settings, &[7; 32], Arc::clone(&clock) as Arc<dyn Clock>).unwrap(), clock)
}

fn tenant(id: &str) -> TenantId {
    id.parse().unwrap()
}

fn agent(id: &str) -> AgentId {
    id.parse().unwrap()
}

const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const AWAY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

fn pass(text: &str) -> Secret {
    Secret::new(text)
}

#[tokio::test]
async fn the_right_password_gives_a_token_for_this_agent_only() {
    let (auth, _) = setup();
    let (acme, anna) = (tenant("acme"), agent("anna"));
    let signed = auth.sign_in(&acme, &anna, pass("correct horse"), HOME).await.unwrap();
    assert_eq!(signed.name, "Anna Berg");
    let read = auth.tokens().read_agent(&signed.issued.token).unwrap();
    assert_eq!((read.tenant, read.agent, read.role), (acme.clone(), anna, Role::Agent));
    assert_eq!(read.expires_at, Timestamp(START + 12 * 3_600_000));
    for (tenant, agent_id, password) in [
        ("acme", "anna", "wrong"),
        ("acme", "nobody", "correct horse"),
        ("acme", "bert", ""),
        ("other", "anna", "correct horse"),
        ("nowhere", "anna", "correct horse"),
    ] {
        let refused = auth.sign_in(&self::tenant(tenant), &agent(agent_id), pass(password), HOME).await;
        assert_eq!(refused.unwrap_err(), Error::BadPassword, "{tenant} {agent_id}");
    }
}

#[tokio::test]
async fn failures_make_an_agent_wait_but_only_from_where_they_came() {
    let (auth, clock) = setup();
    let (acme, anna) = (tenant("acme"), agent("anna"));
    for _ in 0..5 {
        let refused = auth.sign_in(&acme, &anna, pass("wrong"), HOME).await;
        assert_eq!(refused.unwrap_err(), Error::BadPassword);
    }
    let refused = auth.sign_in(&acme, &anna, pass("correct horse"), HOME).await;
    assert_eq!(refused.unwrap_err(), Error::TooOften);
    assert!(auth.sign_in(&acme, &anna, pass("correct horse"), AWAY).await.is_ok());
    clock.0.fetch_add(60_000, Ordering::SeqCst);
    assert!(auth.sign_in(&acme, &anna, pass("correct horse"), HOME).await.is_ok());
}

#[test]
fn an_address_may_try_only_so_often() {
    let (auth, clock) = setup();
    for _ in 0..20 {
        assert_eq!(auth.sign_in_by_token(&tenant("acme"), "x", HOME).unwrap_err(), Error::BadToken);
    }
    assert_eq!(auth.sign_in_by_token(&tenant("acme"), "x", HOME).unwrap_err(), Error::TooOften);
    assert_eq!(auth.sign_in_by_token(&tenant("acme"), "x", AWAY).unwrap_err(), Error::BadToken);
    clock.0.fetch_add(3_000, Ordering::SeqCst);
    assert_eq!(auth.sign_in_by_token(&tenant("acme"), "x", HOME).unwrap_err(), Error::BadToken);
}

#[test]
fn a_token_dies_at_its_time() {
    let (auth, clock) = setup();
    let (conversation, interaction) =
        (ConversationId(uuid::Uuid::new_v4()), InteractionId(uuid::Uuid::new_v4()));
    let issued = auth.tokens().customer(&tenant("acme"), conversation, interaction);
    assert_eq!(issued.expires_at, Timestamp(START + 15 * 60_000));
    clock.0.store(issued.expires_at.0 + 4_999, Ordering::SeqCst);
    assert_eq!(auth.tokens().read_customer(&issued.token).unwrap().interaction, interaction);
    clock.0.store(issued.expires_at.0 + 5_000, Ordering::SeqCst);
    assert_eq!(auth.tokens().read_customer(&issued.token).unwrap_err(), Error::Expired);
}

#[test]
fn no_token_stands_in_for_another_purpose_or_another_key() {
    let (auth, clock) = setup();
    let tokens = auth.tokens();
    let of_agent = tokens.agent(&tenant("acme"), &agent("anna"), Role::Agent).token;
    let ids = auth.chat_ids(&tenant("acme"), &"0123456789abcdef".parse().unwrap());
    let of_customer = tokens.customer(&tenant("acme"), ids.1, ids.0).token;
    assert_eq!(tokens.read_customer(&of_agent).unwrap_err(), Error::BadToken);
    assert_eq!(tokens.read_agent(&of_customer).unwrap_err(), Error::BadToken);
    let settings = load_text("", HashMap::new()).unwrap();
    let stranger = Auth::new(&settings, &[8; 32], clock).unwrap();
    assert_eq!(stranger.tokens().read_agent(&of_agent).unwrap_err(), Error::BadToken);
}

#[test]
fn forged_tokens_are_refused() {
    let (auth, _) = setup();
    let good = auth.tokens().agent(&tenant("acme"), &agent("anna"), Role::Agent).token;
    let part = |at: usize| good.split('.').nth(at).unwrap().to_owned();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part(1)).unwrap()).unwrap();
    let mut raised = claims.clone();
    raised["role"] = json!("supervisor");
    let wrap = |v: &Value| URL_SAFE_NO_PAD.encode(v.to_string());
    let none = wrap(&json!({"alg": "none", "typ": "JWT"}));
    for forged in [
        format!("{}.{}.{}", part(0), wrap(&raised), part(2)),
        format!("{none}.{}.", part(1)),
        format!("{none}.{}.{}", wrap(&raised), part(2)),
        format!("{}.{}", part(0), part(1)),
        format!("{good}x"),
        String::new(),
        "x".repeat(100_000),
    ] {
        assert_eq!(auth.tokens().read_agent(&forged).unwrap_err(), Error::BadToken);
    }
}

fn signed(claims: &Value, key: &str, alg: jsonwebtoken::Algorithm) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(key.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::new(alg), claims, &key).unwrap()
}

#[test]
fn a_configured_issuer_signs_an_agent_in_and_nobody_else_does() {
    use jsonwebtoken::Algorithm::{HS256, HS512};
    let (auth, _) = setup();
    let now = START / 1_000;
    let good = json!({
        "iss": "https://login.example.com", "aud": ["x", "tieline"], "sub": "u-17", "agent": "bert",
        "exp": now + 60, "nbf": now,
    });
    let acme = tenant("acme");
    let enter = |claims: &Value| auth.sign_in_by_token(&acme, &signed(claims, SHARED, HS256), HOME);
    let bert = enter(&good).unwrap();
    assert_eq!(auth.tokens().read_agent(&bert.issued.token).unwrap().role, Role::Supervisor);
    let with = |key: &str, value: Value| {
        let mut claims = good.clone();
        claims[key] = value;
        claims
    };
    let without = |key: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(key);
        claims
    };
    for bad in [
        with("iss", json!("https://login.example.org")),
        with("aud", json!("other")),
        with("agent", json!("nobody")),
        with("agent", json!(["bert"])),
        with("nbf", json!(now + 600)),
        with("nbf", json!("soon")),
        with("exp", json!("never")),
        without("exp"),
        without("sub"),
        without("aud"),
        without("iss"),
        without("agent"),
    ] {
        assert_eq!(enter(&bad).unwrap_err(), Error::BadToken, "{bad}");
    }
    assert_eq!(enter(&with("exp", json!(now - 6))).unwrap_err(), Error::Expired);
    let elsewhere = |token: String, place: &str| auth.sign_in_by_token(&tenant(place), &token, AWAY);
    let other_key = "another-key-of-thirty-two-characters-and-more";
    assert_eq!(elsewhere(signed(&good, other_key, HS256), "acme").unwrap_err(), Error::BadToken);
    assert_eq!(elsewhere(signed(&good, SHARED, HS512), "acme").unwrap_err(), Error::BadToken);
    assert_eq!(elsewhere(signed(&good, SHARED, HS256), "other").unwrap_err(), Error::BadToken);
}

#[test]
fn a_producer_is_known_by_its_token_in_its_own_tenant() {
    let (auth, _) = setup();
    let token = "pbx-token-0123456789-0123456789";
    assert_eq!(auth.producer(&tenant("acme"), token).unwrap().name, "pbx");
    assert_eq!(auth.producer(&tenant("other"), token).unwrap_err(), Error::BadToken);
    assert_eq!(auth.producer(&tenant("acme"), "pbx-token").unwrap_err(), Error::BadToken);
}

#[test]
fn ids_repeat_for_the_same_command_and_differ_otherwise() {
    let (auth, _) = setup();
    let id = |text: &str| text.parse::<CommandId>().unwrap();
    let first = auth.chat_ids(&tenant("acme"), &id("0123456789abcdef"));
    assert_eq!(auth.chat_ids(&tenant("acme"), &id("0123456789abcdef")), first);
    assert_ne!(auth.chat_ids(&tenant("other"), &id("0123456789abcdef")), first);
    assert_ne!(auth.chat_ids(&tenant("acme"), &id("0123456789abcdeg")), first);
    assert_ne!(auth.chat_ids(&tenant("acme1"), &id("x")), auth.chat_ids(&tenant("acme"), &id("1x")));
    assert_ne!(first.0.0, first.1.0);
}

#[test]
fn networks_are_v4_addresses_and_v6_halves() {
    let net = |text: &str| Network::of(text.parse().unwrap());
    assert_eq!(net("2001:db8:1:2::1"), net("2001:db8:1:2:ffff::9"));
    assert_ne!(net("2001:db8:1:2::1"), net("2001:db8:1:3::1"));
    assert_eq!(net("::ffff:192.0.2.1"), net("192.0.2.1"));
    assert_ne!(net("192.0.2.1"), net("192.0.2.2"));
}

#[test]
fn strangers_share_a_bucket_when_memory_is_full() {
    let throttle: Throttle<u32> = Throttle::new(Rate::per_minute(2));
    let now = Timestamp(START);
    let taken = (0..60_000).filter(|n| throttle.take(*n, now)).count();
    assert_eq!(taken, 50_000 + 2);
    assert!(throttle.take(70_000, Timestamp(START + 60_000)), "old keys drain");
}
