//! The token endpoint: client credentials by secret, by HTTP Basic and by a signed assertion (sheet section 1).

use super::assertion::{self, Certificate, Problem};
use super::org::now;
use super::switches::Switches;
use serde_json::{Value, json};
use std::collections::HashMap;
use time::OffsetDateTime;
use time::macros::format_description;
use uuid::Uuid;

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An app registration.
#[derive(Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// Application (client) id.
    pub client_id: String,
    /// The client secret's value.
    #[serde(default)]
    pub client_secret: Option<String>,
    /// The secret is past its end.
    #[serde(default)]
    pub secret_expired: bool,
    /// The certificate uploaded to the app, PEM.
    #[serde(default)]
    pub certificate_pem: Option<String>,
    /// The app may ask for tokens.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The environment has an application user for it.
    #[serde(default = "yes")]
    pub application_user: bool,
}

fn yes() -> bool {
    true
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("client_id", &self.client_id)
            .field("client_secret", &"***")
            .field("enabled", &self.enabled)
            .field("application_user", &self.application_user)
            .finish_non_exhaustive()
    }
}

/// Who holds a living token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    /// The app.
    pub(crate) client_id: String,
    /// The environment the token is for, without a slash at the end.
    pub(crate) audience: String,
    /// The audience was asked for with a slash at the end.
    pub(crate) slash: bool,
}

struct Token {
    holder: Holder,
    until: OffsetDateTime,
}

/// Apps and tokens of a tenant.
pub(crate) struct Desk {
    /// Registered apps.
    pub(crate) apps: Vec<App>,
    /// The tenant's id.
    pub(crate) tenant: String,
    /// Where the endpoint is.
    pub(crate) authority: String,
    /// Environments that tokens may be for.
    pub(crate) resources: Vec<String>,
    tokens: HashMap<String, Token>,
}

/// An error of the endpoint: AADSTS code, `error`, status, words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenError {
    /// HTTP status.
    pub(crate) status: u16,
    /// `error`
    pub(crate) error: String,
    /// `error_codes[0]`
    pub(crate) code: u32,
    /// The words behind the code.
    pub(crate) says: String,
}

type Result<T> = std::result::Result<T, TokenError>;

fn refuse<T>(status: u16, error: &'static str, code: u32, says: impl Into<String>) -> Result<T> {
    Err(TokenError { status, error: error.to_owned(), code, says: says.into() })
}

impl TokenError {
    /// The body of the answer (sheet 1.3).
    pub(crate) fn body(&self) -> Value {
        let (trace, correlation) = (Uuid::new_v4(), Uuid::new_v4());
        let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");
        let at = now().format(&format).unwrap_or_default();
        let description = format!(
            "AADSTS{}: {}\r\nTrace ID: {trace}\r\nCorrelation ID: {correlation}\r\nTimestamp: {at}",
            self.code, self.says
        );
        json!({
            "error": self.error, "error_description": description, "error_codes": [self.code], "timestamp": at,
            "trace_id": trace.to_string(), "correlation_id": correlation.to_string(),
            "error_uri": format!("https://login.microsoftonline.com/error?code={}", self.code),
        })
    }
}

impl Desk {
    /// A desk without tokens.
    pub(crate) fn new(apps: Vec<App>, tenant: &str, authority: &str, resources: Vec<String>) -> Self {
        let (tenant, authority) = (tenant.to_owned(), authority.to_owned());
        Self { apps, tenant, authority, resources, tokens: HashMap::new() }
    }

    /// Whether a path segment names this tenant.
    pub(crate) fn is_tenant(&self, given: &str) -> bool {
        given.eq_ignore_ascii_case(&self.tenant) || given.eq_ignore_ascii_case(super::TENANT_DOMAIN)
    }

    /// What `openid-configuration` says (sheet 6.3).
    pub(crate) fn configuration(&self, tenant: &str) -> Value {
        let (base, id) = (&self.authority, &self.tenant);
        json!({
            "token_endpoint": format!("{base}/{tenant}/oauth2/v2.0/token"),
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "jwks_uri": format!("{base}/{tenant}/discovery/v2.0/keys"),
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"], "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": format!("{base}/{id}/v2.0"),
            "authorization_endpoint": format!("{base}/{tenant}/oauth2/v2.0/authorize"),
            "device_authorization_endpoint": format!("{base}/{tenant}/oauth2/v2.0/devicecode"),
            "end_session_endpoint": format!("{base}/{tenant}/oauth2/v2.0/logout"),
            "tenant_region_scope": "EU", "cloud_instance_name": "microsoftonline.com",
        })
    }

    /// Answers a token request for the tenant in the address. `basic` is what the Authorization header gave.
    ///
    /// # Errors
    /// As sheet 1.3 lists them.
    pub(crate) fn token(
        &mut self,
        tenant: &str,
        form: &HashMap<String, String>,
        basic: Option<(String, String)>,
        switches: &Switches,
    ) -> Result<Value> {
        let of = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        if !self.is_tenant(tenant) {
            let says =
                format!("Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID.");
            return refuse(400, "invalid_request", 90_002, says);
        }
        match of("grant_type") {
            "client_credentials" => {}
            "" => {
                return refuse(
                    400,
                    "invalid_request",
                    900_144,
                    "The request body must contain the following parameter: 'grant_type'.",
                );
            }
            other => {
                return refuse(
                    400,
                    "unsupported_grant_type",
                    70_003,
                    format!("The grant type '{other}' is not supported."),
                );
            }
        }
        let (basic_id, basic_secret) = basic.unzip();
        let client = basic_id.as_deref().unwrap_or_else(|| of("client_id"));
        if client.is_empty() {
            let says = "The request body must contain the following parameter: 'client_id'.";
            return refuse(400, "invalid_request", 900_144, says);
        }
        let Some(app) = self.apps.iter().find(|a| a.client_id.eq_ignore_ascii_case(client)).cloned() else {
            let says = format!("Application with identifier '{client}' was not found in the directory.");
            return refuse(400, "unauthorized_client", 700_016, says);
        };
        let audience = self.audience(of("scope"))?;
        let endpoint = format!("{}/{tenant}/oauth2/v2.0/token", self.authority);
        let secret = basic_secret.as_deref().or_else(|| form.get("client_secret").map(String::as_str));
        match secret {
            Some(secret) => by_secret(&app, secret)?,
            None => by_assertion(&app, form, &endpoint, switches)?,
        }
        if !app.enabled {
            let says = format!("Application '{client}' is disabled.");
            return refuse(400, "unauthorized_client", 7_000_112, says);
        }
        let (audience, slash) = audience;
        let holder = Holder { client_id: app.client_id, audience, slash };
        Ok(self.open(holder, switches))
    }

    /// The environment that a scope means.
    fn audience(&self, scope: &str) -> Result<(String, bool)> {
        let malformed = || {
            let says = format!(
                "The provided request must include a 'scope' input parameter. The scope '{scope}' is not valid."
            );
            refuse(400, "invalid_scope", 70_011, says)
        };
        let scopes: Vec<&str> = scope.split_whitespace().collect();
        let [scope] = scopes.as_slice() else { return malformed() };
        if !scope.contains("://") {
            return malformed();
        }
        let Some(resource) = scope.strip_suffix("/.default") else {
            let says = format!(
                "The provided value for scope {scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."
            );
            return refuse(400, "invalid_scope", 1_002_012, says);
        };
        let slash = resource.ends_with('/');
        let resource = resource.trim_end_matches('/');
        if self.resources.iter().any(|r| r.eq_ignore_ascii_case(resource)) {
            return Ok((resource.to_lowercase(), slash));
        }
        let says = format!(
            "The resource principal named {resource} was not found in the tenant named Tieline Sandbox."
        );
        refuse(400, "invalid_resource", 500_011, says)
    }

    fn open(&mut self, holder: Holder, switches: &Switches) -> Value {
        use base64::Engine as _;
        let at = now();
        let encode =
            |value: &Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({"typ": "JWT", "alg": "RS256", "kid": "tieline-sandbox"});
        let slash = if holder.slash { "/" } else { "" };
        let claims = json!({
            "aud": format!("{}{slash}", holder.audience), "iss": format!("https://sts.windows.net/{}/", self.tenant),
            "iat": at.unix_timestamp(), "exp": at.unix_timestamp() + switches.token_s, "appid": holder.client_id,
            "tid": self.tenant, "ver": "1.0", "uti": Uuid::new_v4().to_string(),
        });
        // The look of a real token; nobody but the environment may read anything from it.
        let token = format!("{}.{}.{}", encode(&header), encode(&claims), Uuid::new_v4().simple());
        let until = at + time::Duration::seconds(switches.token_s);
        self.tokens.insert(token.clone(), Token { holder, until });
        json!({
            "token_type": "Bearer", "expires_in": switches.token_s, "ext_expires_in": switches.token_s,
            "access_token": token,
        })
    }

    /// Who holds a token that lives.
    pub(crate) fn holder(&mut self, token: &str) -> Option<Holder> {
        let found = self.tokens.get(token)?;
        if found.until <= now() {
            self.tokens.remove(token);
            return None;
        }
        Some(found.holder.clone())
    }

    /// Ends a token.
    pub(crate) fn end(&mut self, token: &str) {
        self.tokens.remove(token);
    }

    /// Ends all tokens and says how many there were.
    pub(crate) fn end_all(&mut self) -> usize {
        let n = self.tokens.len();
        self.tokens.clear();
        n
    }
}

fn by_secret(app: &App, secret: &str) -> Result<()> {
    if app.client_secret.as_deref() != Some(secret) {
        let says = format!(
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{}'.",
            app.client_id
        );
        return refuse(401, "invalid_client", 7_000_215, says);
    }
    if app.secret_expired {
        let says = format!("The provided client secret keys for app '{}' are expired.", app.client_id);
        return refuse(401, "invalid_client", 7_000_222, says);
    }
    Ok(())
}

fn by_assertion(
    app: &App,
    form: &HashMap<String, String>,
    endpoint: &str,
    switches: &Switches,
) -> Result<()> {
    let of = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let given = of("client_assertion");
    if given.is_empty() {
        let says =
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
        return refuse(401, "invalid_client", 7_000_218, says);
    }
    if of("client_assertion_type") != ASSERTION {
        let says =
            "The request body must contain 'client_assertion_type' with the value for JWT bearer assertions.";
        return refuse(400, "invalid_request", 900_144, says);
    }
    let certificate = app.certificate_pem.as_deref().and_then(Certificate::read);
    let checked = assertion::check(
        given,
        certificate.as_ref(),
        &app.client_id,
        endpoint,
        now().unix_timestamp(),
        switches.assertion_skew_s,
    );
    match checked {
        Ok(()) => Ok(()),
        Err(Problem::Time(why)) => refuse(
            401,
            "invalid_client",
            700_024,
            format!("Client assertion is not within its valid time range. {why}"),
        ),
        Err(Problem::Signature(why)) => refuse(
            401,
            "invalid_client",
            700_027,
            format!(
                "The certificate with identifier used to sign the client assertion is not registered on application. {why}"
            ),
        ),
        Err(Problem::Claims(why)) => {
            refuse(401, "invalid_client", 700_023, format!("Client assertion is not valid. {why}"))
        }
        Err(Problem::Malformed(why)) => {
            refuse(401, "invalid_client", 50_027, format!("JWT token is invalid or malformed. {why}"))
        }
    }
}
