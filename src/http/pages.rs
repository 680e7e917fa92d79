//! Panel, widget, shop, and what they load.

use super::answer::Answer;
use super::{Shared, api, files, headers};
use axum::extract::{OriginalUri, Path, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use rust_embed::EmbeddedFile;
use tieline_model::{Code, Refusal};

/// What the panel's page has where the tenant's CRM pages go in.
const HOSTS: &str = "<meta name=\"tieline-hosts\" content=\"";
const NOT_BUILT: &str = "The pages have not been built. Run `cargo xtask web`, then load this page again.";

/// `/panel/{tenant}/`: framed by the tenant's CRM pages only. Some CRMs POST a signed request to it; the panel signs
/// in by itself, so the body is not read.
pub(super) async fn panel(State(app): State<Shared>, Path(tenant): Path<String>) -> Response {
    let Ok((_, its)) = api::find(&app, &tenant) else { return unknown() };
    let hosts = &its.panel_hosts;
    page("panel/index.html", headers::page_policy(hosts, hosts), |text| {
        // Origins from checked settings hold no character that means something in HTML.
        text.replacen(&format!("{HOSTS}\""), &format!("{HOSTS}{}\"", hosts.join(" ")), 1)
    })
}

/// `/widget/{tenant}/`: framed by the tenant's sites only.
pub(super) async fn widget(State(app): State<Shared>, Path(tenant): Path<String>) -> Response {
    let Ok((_, its)) = api::find(&app, &tenant) else { return unknown() };
    page("widget/index.html", headers::page_policy(&[], &its.site_origins), |text| text)
}

/// `/shop/…`: a make-believe shop with the widget in it, for demos.
pub(super) async fn shop(State(app): State<Shared>, page_name: Option<Path<String>>) -> Response {
    if !app.parts.settings.http.demo_pages {
        return unknown();
    }
    let name = page_name.map_or_else(|| "index.html".to_owned(), |Path(name)| name);
    if !name.ends_with(".html") {
        return unknown();
    }
    page(&format!("shop/{name}"), headers::page_policy(&[], &[]), |text| text)
}

/// `/panel/acme` is meant as `/panel/acme/`. The query stays: CRM pages say in it who they are.
pub(super) async fn add_slash(OriginalUri(uri): OriginalUri) -> Response {
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    Redirect::permanent(&format!("{}/{query}", uri.path())).into_response()
}

/// `/assets/…` and `/widget.js`.
pub(super) async fn file(uri: Uri, request: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    let Some(file) = files::get(path) else {
        return Answer::from(Refusal::new(Code::NotFound, "there is nothing at this address"))
            .into_response();
    };
    let tag: String = file.metadata.sha256_hash()[..16].iter().map(|b| format!("{b:02x}")).collect();
    let tag = HeaderValue::from_str(&format!("\"{tag}\"")).expect("hexadecimal digits are ASCII");
    let same = request.get(header::IF_NONE_MATCH) == Some(&tag);
    let mut response =
        if same { StatusCode::NOT_MODIFIED.into_response() } else { file.data.into_owned().into_response() };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, tag);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep_for(path)));
    if !same {
        let kind = mime_guess::from_path(path).first_or_octet_stream();
        let text =
            matches!(kind.type_(), mime_guess::mime::TEXT) || kind.subtype() == mime_guess::mime::JAVASCRIPT;
        let kind = if text { format!("{kind}; charset=utf-8") } else { kind.to_string() };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(&kind).expect("media types are ASCII"));
    }
    if path == "widget.js" {
        // Other sites load this one.
        headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    }
    response
}

/// A name with a hash of its content never changes; others may.
fn keep_for(path: &str) -> &'static str {
    let stem = path.rsplit('/').next().and_then(|name| name.split('.').next()).unwrap_or_default();
    // Eight characters of base64 after a dash, as the bundler writes them; a word of eight letters is none.
    let hash =
        stem.len().checked_sub(9).and_then(|at| stem.get(at..)).and_then(|tail| tail.strip_prefix('-'));
    let hashed = hash.is_some_and(|hash| hash.bytes().any(|b| !b.is_ascii_lowercase()));
    if hashed { "public, max-age=31536000, immutable" } else { "public, max-age=300" }
}

fn page(path: &str, policy: HeaderValue, edit: impl FnOnce(String) -> String) -> Response {
    let mut response = match files::get(path) {
        Some(EmbeddedFile { data, .. }) => {
            Html(edit(String::from_utf8_lossy(&data).into_owned())).into_response()
        }
        None if files::missing() => (StatusCode::SERVICE_UNAVAILABLE, Html(NOT_BUILT)).into_response(),
        None => return unknown(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn unknown() -> Response {
    let text = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Not found</title>\
                <p>There is no page at this address. Check the name of the contact centre in it.</p></html>";
    (StatusCode::NOT_FOUND, Html(text)).into_response()
}
