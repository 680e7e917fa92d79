//! The token endpoint (sheet section 1).

use super::*;

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn now() -> i64 {
    jsonwebtoken::get_current_timestamp().try_into().unwrap()
}

/// The digest of the app's certificate, base64url.
fn thumbprint(sha256: bool) -> String {
    use base64::Engine as _;
    let body: String = KEY.certificate_pem.lines().filter(|l| !l.starts_with("-----")).collect();
    let der = base64::engine::general_purpose::STANDARD.decode(body).unwrap();
    let algorithm =
        if sha256 { &aws_lc_rs::digest::SHA256 } else { &aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY };
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(algorithm, &der))
}

fn claims(running: &Running) -> Value {
    json!({"aud": endpoint(running), "iss": CLIENT_ID, "sub": CLIENT_ID, "jti": format!("{:x}", now()),
        "nbf": now(), "iat": now(), "exp": now() + 600})
}

fn signed(key: &AppKey, ps: bool, header: &[(&str, String)], claims: &Value) -> String {
    use base64::Engine as _;
    let algorithm = if ps { jsonwebtoken::Algorithm::PS256 } else { jsonwebtoken::Algorithm::RS256 };
    let mut head = json!({"typ": "JWT", "alg": if ps { "PS256" } else { "RS256" }});
    for (name, value) in header {
        head[*name] = json!(value);
    }
    let encode = |v: &Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(v.to_string());
    let message = format!("{}.{}", encode(&head), encode(claims));
    let key = jsonwebtoken::EncodingKey::from_rsa_pem(key.private_pem.as_bytes()).unwrap();
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, algorithm).unwrap();
    format!("{message}.{signature}")
}

async fn assert_with(client: &Client, running: &Running, assertion: &str) -> (u16, Value) {
    let scope = scope(running);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", CLIENT_ID),
        ("scope", &scope),
        ("client_assertion_type", ASSERTION),
        ("client_assertion", assertion),
        ("client_info", "1"),
    ];
    grant(client, running, &form).await
}

#[tokio::test]
async fn a_secret_gives_a_token_by_body_and_by_basic() {
    let (running, client) = started(small()).await;
    let scope = scope(&running);
    let (status, body) = by_secret(&client, &running, CLIENT_ID, CLIENT_SECRET, &scope).await;
    assert_eq!((status, &body["token_type"], &body["expires_in"]), (200, &json!("Bearer"), &json!(3599)));
    assert!(body.get("refresh_token").is_none());
    let encoded = |text: &str| text.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let answer = client
        .post(format!("{}?client-request-id=5", endpoint(&running)))
        .basic_auth(CLIENT_ID, Some(encoded(CLIENT_SECRET)))
        .form(&[("grant_type", "client_credentials"), ("scope", &scope)])
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn every_way_to_be_refused_has_its_code() {
    let mut options = small();
    options.apps[1].secret_expired = true;
    let (running, client) = started(options).await;
    let good = scope(&running);
    let refused = async |id: &str, secret: &str, scope: &str| {
        let (status, body) = by_secret(&client, &running, id, secret, scope).await;
        let words = body["error_description"].as_str().unwrap();
        assert!(words.starts_with(&format!("AADSTS{}:", aadsts(&body))) && words.contains("\r\nTrace ID: "));
        (status, body["error"].as_str().unwrap().to_owned(), aadsts(&body))
    };
    let is = |status, error: &str, code| (status, error.to_owned(), code);
    assert_eq!(refused(CLIENT_ID, "wrong", &good).await, is(401, "invalid_client", 7_000_215));
    assert_eq!(refused(STRANGER_ID, CLIENT_SECRET, &good).await, is(401, "invalid_client", 7_000_222));
    let nobody = "00000000-0000-4000-8000-000000000000";
    assert_eq!(refused(nobody, CLIENT_SECRET, &good).await, is(400, "unauthorized_client", 700_016));
    assert_eq!(refused(CLIENT_ID, CLIENT_SECRET, "nonsense").await, is(400, "invalid_scope", 70_011));
    let two = format!("{good} {good}");
    assert_eq!(refused(CLIENT_ID, CLIENT_SECRET, &two).await, is(400, "invalid_scope", 70_011));
    let bare = format!("{}/user_impersonation", running.org_url);
    assert_eq!(refused(CLIENT_ID, CLIENT_SECRET, &bare).await, is(400, "invalid_scope", 1_002_012));
    let other = "https://other.crm4.dynamics.com/.default";
    assert_eq!(refused(CLIENT_ID, CLIENT_SECRET, other).await, is(400, "invalid_resource", 500_011));
    let neither = [("grant_type", "client_credentials"), ("client_id", CLIENT_ID), ("scope", good.as_str())];
    assert_eq!(aadsts(&grant(&client, &running, &neither).await.1), 7_000_218);
    let elsewhere = format!("{}/wrong.example/oauth2/v2.0/token", running.authority_url);
    let answer = client.post(elsewhere).form(&neither).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), aadsts(&answer.json().await.unwrap())), (400, 90_002));
}

#[tokio::test]
async fn assertions_of_both_kinds_and_all_spellings_are_taken() {
    let (running, client) = started(small()).await;
    for ps in [true, false] {
        for (name, value) in [("x5t#S256", thumbprint(true)), ("x5t", thumbprint(false))] {
            for padded in [true, false] {
                let value = if padded { format!("{value}=") } else { value.clone() };
                let given = signed(&KEY, ps, &[(name, value)], &claims(&running));
                let (status, body) = assert_with(&client, &running, &given).await;
                assert_eq!(status, 200, "{name} {ps} {padded}: {body}");
            }
        }
    }
    let mut floats = claims(&running);
    #[expect(clippy::cast_precision_loss, reason = "seconds of our time")]
    for name in ["iat", "nbf", "exp"] {
        floats[name] = json!(floats[name].as_i64().unwrap() as f64 + 0.25);
    }
    let given = signed(&KEY, true, &[("x5t#S256", thumbprint(true))], &floats);
    assert_eq!(assert_with(&client, &running, &given).await.0, 200);
}

#[tokio::test]
async fn an_assertion_that_is_wrong_in_any_way_is_refused() {
    let (running, client) = started(small()).await;
    let print = || [("x5t#S256", thumbprint(true))];
    let refused = async |given: &str| {
        let (status, body) = assert_with(&client, &running, given).await;
        assert_eq!((status, body["error"].as_str()), (401, Some("invalid_client")), "{body}");
        aadsts(&body)
    };
    let with = |name: &str, value: Value| {
        let mut claims = claims(&running);
        claims[name] = value;
        signed(&KEY, true, &print(), &claims)
    };
    let other = AppKey::generate().unwrap();
    assert_eq!(refused(&signed(&other, true, &print(), &claims(&running))).await, 700_027);
    assert_eq!(refused(&signed(&KEY, true, &[("x5t", thumbprint(true))], &claims(&running))).await, 700_027);
    assert_eq!(refused(&signed(&KEY, true, &[], &claims(&running))).await, 700_027);
    assert_eq!(refused(&with("exp", json!(now() - 3_600))).await, 700_024);
    assert_eq!(refused(&with("nbf", json!(now() + 3_600))).await, 700_024);
    assert_eq!(refused(&with("aud", json!("https://login.microsoftonline.com/x"))).await, 700_023);
    assert_eq!(refused(&with("iss", json!(STRANGER_ID))).await, 700_023);
    assert_eq!(refused("no.jwt.here").await, 50_027);
    let mut forged = signed(&KEY, true, &print(), &claims(&running));
    forged.replace_range(forged.len() - 4.., "AAAA");
    assert_eq!(refused(&forged).await, 700_027);
}

#[tokio::test]
async fn a_token_ends_and_the_401_has_no_body() {
    let api = Api::new(with_switches(|s| s.token_s = 0)).await;
    let answer = api.request("GET", "contacts").send().await.unwrap();
    assert_eq!(answer.status(), 401);
    let header = answer.headers()["www-authenticate"].to_str().unwrap().to_owned();
    assert!(header.starts_with("Bearer authorization_uri=") && header.contains("resource_id="), "{header}");
    assert_eq!(answer.text().await.unwrap(), "");
}

#[tokio::test]
async fn the_configuration_names_what_libraries_need() {
    let (running, client) = started(small()).await;
    let url = format!("{}/{TENANT}/v2.0/.well-known/openid-configuration", running.authority_url);
    let body: Value = client.get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(body["token_endpoint"], endpoint(&running));
    for name in ["issuer", "jwks_uri", "authorization_endpoint"] {
        assert!(body[name].as_str().unwrap().starts_with(&running.authority_url), "{name}");
    }
}

#[tokio::test]
async fn a_scope_with_two_slashes_gives_a_token_for_another_audience() {
    let (running, client) = started(small()).await;
    let scope = format!("{}//.default", running.org_url);
    let (_, body) = by_secret(&client, &running, CLIENT_ID, CLIENT_SECRET, &scope).await;
    let token = body["access_token"].as_str().unwrap();
    let api = Api { client, token: token.to_owned(), running };
    assert_eq!(api.call("GET", "WhoAmI", None).await.0, 401);
    api.switch(json!({"audience_slash": true})).await;
    assert_eq!(api.call("GET", "WhoAmI", None).await.0, 200);
}
