//! Settings as ops write them.

use super::*;
use std::collections::HashMap;
use std::path::Path;

mod cluster;
mod desk;
mod hours;
mod presets;
mod queue;

fn none() -> HashMap<String, String> {
    HashMap::new()
}

fn env(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

#[test]
fn the_example_file_parses_and_validates() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tieline.example.toml");
    let settings = load(Some(&path), none()).unwrap();
    let tenant = &settings.tenants[&"acme".parse().unwrap()];
    assert!(!tenant.agents.is_empty() && !tenant.queues.is_empty() && !tenant.connections.is_empty());
}

/// Every value the example shows for a key with a default is that default, so that the file documents them.
#[test]
fn the_example_file_shows_the_defaults_of_the_plain_sections() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tieline.example.toml");
    let shown = load(Some(&path), none()).unwrap();
    let own = Settings::default();
    assert_eq!(shown.journal, own.journal);
    assert_eq!(shown.bus, own.bus);
    assert_eq!(shown.cluster, own.cluster);
    assert_eq!(shown.daemon, own.daemon);
    assert_eq!(shown.dispatch, own.dispatch);
    assert_eq!(shown.auth, own.auth);
    assert_eq!(Http { public_url: None, ..shown.http }, own.http);
}

/// Every key that the schema knows stands in the example, with its value or behind a comment sign.
#[test]
fn the_example_file_leaves_no_key_out() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tieline.example.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let words: std::collections::BTreeSet<&str> =
        text.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    let schema = schema();
    let mut missing = Vec::new();
    let mut seen = 0;
    for (kind, known) in schema["$defs"].as_object().unwrap() {
        for key in known["properties"].as_object().into_iter().flatten().map(|(key, _)| key) {
            seen += 1;
            if !words.contains(key.as_str()) {
                missing.push(format!("{kind}.{key}"));
            }
        }
    }
    assert!(seen > 100 && missing.is_empty(), "of {seen} keys there are not: {missing:?}");
}

/// What is wrong is named by its key, wherever it was written and whatever kind it should have been.
#[test]
fn a_value_of_the_wrong_kind_is_named_with_its_key_from_file_and_environment() {
    for (text, key) in [
        ("[bus]\nprefetch = \"many\"", "bus.prefetch"),
        ("[bus]\nprefetch = 70000", "bus.prefetch"),
        ("[http]\nlisten = \"here\"", "http.listen"),
        ("[http]\ndemo_pages = \"perhaps\"", "http.demo_pages"),
        ("[http]\ntrusted_proxies = \"10.0.0.1\"", "http.trusted_proxies"),
        ("[tenants.acme.agents.anna]\nchat_capacity = -1", "chat_capacity"),
        ("[daemon]\ndrain_within = 25", "daemon.drain_within"),
    ] {
        let said = load_text(text, none()).unwrap_err().to_string();
        assert!(said.contains(key), "{text}: {said}");
    }
    for (variable, value, key) in [
        ("TIELINE__BUS__PREFETCH", "many", "prefetch"),
        ("TIELINE__DAEMON__DRAIN_WITHIN", "1h", "daemon.drain_within"),
        ("TIELINE__HTTP__LISTEN", "here", "listen"),
        ("TIELINE__BUS__PREFECTH", "3", "prefecth"),
    ] {
        let said = load_text("", env(&[(variable, value)])).unwrap_err().to_string();
        assert!(said.contains(key), "{variable}: {said}");
    }
    let long = load_text("[daemon]\ndrain_within = \"1h\"", none()).unwrap_err().to_string();
    assert_eq!(long, "`daemon.drain_within` is \"1h\"; choose a duration from \"1s\" to \"10m\"");
}

#[test]
fn nothing_at_all_is_a_valid_settings_file() {
    let settings = load_text("", none()).unwrap();
    assert_eq!(settings.bus.kind, BusKind::Embedded);
    assert_eq!(settings.http.listen.to_string(), "127.0.0.1:8080");
}

#[test]
fn the_environment_goes_over_the_file() {
    let text = "[bus]\nprefetch = 7\n[tenants.acme.agents.\"anna.b-1\"]\nname = \"Anna\"";
    let settings = load_text(
        text,
        env(&[
            ("TIELINE__BUS__PREFETCH", "32"),
            ("TIELINE__BUS__RECONNECT_MAX", "4s"),
            ("TIELINE__BUS__KIND", "rabbitmq"),
            ("TIELINE__HTTP__LISTEN", "127.0.0.1:0"),
            ("OTHER__BUS__PREFETCH", "9"),
        ]),
    )
    .unwrap();
    assert_eq!(settings.bus.prefetch, 32);
    assert_eq!(settings.bus.reconnect_max, Span::secs(4));
    assert_eq!(settings.bus.kind, BusKind::Rabbitmq);
    assert_eq!(settings.http.listen.port(), 0);
    assert!(settings.tenants[&"acme".parse().unwrap()].agents.contains_key(&"anna.b-1".parse().unwrap()));
}

#[test]
fn a_secret_of_digits_stays_text() {
    let settings = load_text(
        "[tenants.acme]",
        env(&[
            ("TIELINE__AUTH__PRODUCERS__PBX__TOKEN", "123456789012345678901234"),
            ("TIELINE__AUTH__PRODUCERS__PBX__TENANT", "acme"),
        ]),
    )
    .unwrap();
    assert_eq!(settings.auth.producers["pbx"].token.as_ref().unwrap().reveal(), "123456789012345678901234");
}

#[test]
fn an_unknown_key_is_named_wherever_it_stands() {
    for (text, key) in [
        ("[bus]\nprefecth = 3", "prefecth"),
        ("[tenants.acme.queues.support.wrap_up]\ntmie = \"3s\"", "tmie"),
        ("[tenants.acme.agents.anna]\npassword = \"x\"", "password"),
        ("[auth.producers.pbx]\ntenant = \"acme\"\nsecret = \"x\"", "secret"),
        ("[jurnal]\npath = \"x\"", "jurnal"),
    ] {
        let said = load_text(text, none()).unwrap_err().to_string();
        assert!(said.contains(key), "{said}");
    }
}

#[test]
fn a_duration_without_a_unit_says_how_to_write_it() {
    let said = load_text("[bus]\nheartbeat = \"10\"", none()).unwrap_err().to_string();
    assert!(said.contains("bus.heartbeat") && said.contains("\"30s\""), "{said}");
}

#[test]
fn all_problems_come_at_once_and_each_names_key_value_and_way_out() {
    let text = r#"
        [bus]
        window = 0
        reconnect_min = "9s"
        reconnect_max = "2s"
        [auth.producers.pbx]
        tenant = "nobody"
        token = "short"
        [tenants.acme]
        site_origins = ["https://Shop.example.com/", "null"]
        default_country = "Germany"
        connections_order = ["sf"]
        [tenants.acme.agents.anna]
        queues = ["sales"]
        chat_capacity = 0
        password_hash = "hunter2-in-the-clear"
        extension = "bert"
        [tenants.acme.agents.bert]
        [tenants.acme.queues.support]
        accept_within = "0s"
        reply_alert = ["60s", "45s"]
        [tenants.acme.connections.zd]
        type = "acme_crm"
    "#;
    let said = load_text(text, none()).unwrap_err().to_string();
    let lines: Vec<&str> = said.lines().collect();
    for key in [
        "`bus.window` is 0; choose a number from 1 to 100000",
        "`bus.reconnect_max` is \"2s\"; choose a duration from \"9s\" to \"10m\"",
        "`auth.producers.pbx.tenant` is \"nobody\"",
        "`auth.producers.pbx.token` has 5 characters",
        "`tenants.acme.site_origins[0]`",
        "`tenants.acme.site_origins[1]` is \"null\"",
        "`tenants.acme.default_country` is \"Germany\"",
        "`tenants.acme.connections_order[0]` is \"sf\"",
        "`tenants.acme.agents.anna.queues` names \"sales\"; name queues of this tenant (support)",
        "`tenants.acme.agents.anna.chat_capacity` is 0",
        "`tenants.acme.agents.anna.password_hash`",
        "`tenants.acme.agents.anna.extension` is \"bert\"",
        "`tenants.acme.queues.support.accept_within` is \"0s\"",
        "`tenants.acme.queues.support.reply_alert`",
        "`tenants.acme.connections.zd.type` is \"acme_crm\"",
    ] {
        assert_eq!(lines.iter().filter(|line| line.starts_with(key)).count(), 1, "{key}\nin\n{said}");
    }
    assert_eq!(lines.len(), 15, "{said}");
    assert!(!said.contains("hunter2"), "a secret is shown");
}

#[test]
fn secrets_come_from_files_and_are_never_shown() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("url");
    std::fs::write(&file, "amqp://user:letmein@broker:5672/%2f\n").unwrap();
    let text = format!("[bus]\nurl_file = {file:?}");
    let settings = load_text(&text, none()).unwrap();
    assert_eq!(settings.bus.url.reveal(), "amqp://user:letmein@broker:5672/%2f");
    assert!(!format!("{settings:?}").contains("letmein"));
    std::fs::write(&file, "postgres://user:letmein@db.example/tieline\n").unwrap();
    let settings = load_text(&format!("[journal]\nurl_file = {file:?}"), none()).unwrap();
    assert_eq!(settings.journal.url.reveal(), "postgres://user:letmein@db.example/tieline");
    assert!(!format!("{settings:?}").contains("letmein"));
    let missing = format!("[bus]\nurl_file = {:?}", dir.path().join("no"));
    let said = load_text(&missing, none()).unwrap_err().to_string();
    assert!(said.starts_with("`bus.url_file` names "), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn a_database_that_cannot_be_is_refused_with_the_way_out() {
    let text =
        "[journal]\nkind = \"postgres\"\nurl = \"mysql://hunter2@x\"\nschema = \"My Schema\"\nwriters = 0";
    let said = load_text(text, none()).unwrap_err().to_string();
    for key in
        ["`journal.url` does not begin with postgres://", "`journal.schema` is \"My Schema\"; use at most 63"]
    {
        assert!(said.contains(key), "{key}\nin\n{said}");
    }
    assert!(said.contains("`journal.writers` is 0; choose a number from 1 to 100"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    for schema in ["pg_mine", "1st", "", "a-b", "\u{e4}"] {
        let text = format!("[journal]\nschema = \"{schema}\"");
        assert!(load_text(&text, none()).is_err(), "{schema}");
    }
    assert!(load_text("[journal]\nschema = \"_centre_2\"", none()).is_ok());
}

#[test]
fn durations_read_and_write_alike() {
    for (text, ms) in
        [("1500ms", 1_500), ("30s", 30_000), ("10m", 600_000), ("12h", 43_200_000), ("7d", 604_800_000)]
    {
        let span: Span = text.parse().unwrap();
        assert_eq!((span.millis().0, span.to_string().as_str()), (ms, text));
    }
    for text in ["", "s", "10", "-1s", "1.5s", "1w", "1S", "99999999999999999999s", "18446744073709551615d"] {
        assert!(text.parse::<Span>().is_err(), "{text}");
    }
}

#[test]
fn the_policy_holds_what_was_set_and_orders_connections() {
    let text = r#"
        [tenants.acme]
        connections_order = ["emea"]
        [tenants.acme.calls]
        park_on = "ringing"
        log = "all"
        [tenants.acme.agents.anna]
        name = "Anna Berg"
        queues = ["support"]
        extension = "201"
        may_reject = false
        [tenants.acme.queues.support]
        delivery = "pull"
        wrap_up = { time = "none", extensions = 1 }
        [tenants.acme.connections.apac]
        type = "salesforce"
        salesforce = { login_url = "https://example.com" }
        [tenants.acme.connections.emea]
        type = "salesforce"
        name = "Salesforce EMEA"
        salesforce = { login_url = "https://example.com", depth = 3 }
    "#;
    let settings = load_text(text, none()).unwrap();
    let tenant = &settings.tenants[&"acme".parse().unwrap()];
    let policy = tenant.policy();
    assert_eq!(policy.calls.log, tieline_model::policy::CallLogs::All);
    let names: Vec<&str> = policy.connections.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["Salesforce EMEA", "apac"]);
    let anna = &policy.agents[&"anna".parse().unwrap()];
    assert_eq!((anna.name.as_str(), anna.may_reject, anna.chat_capacity), ("Anna Berg", false, 3));
    let queue = &policy.queues[&"support".parse().unwrap()];
    let rules = tieline_model::policy::QueuePolicy::named("support");
    assert_eq!(queue.wrap_up.time, None);
    assert_eq!(queue.wrap_up.extension, rules.wrap_up.extension);
    assert_eq!(queue.accept_within, rules.accept_within);
    assert_eq!(queue.delivery, tieline_model::policy::Delivery::Pull);
    assert_eq!(tenant.connections[&"emea".parse().unwrap()].own().unwrap()["depth"], 3);
}

#[test]
fn the_queue_defaults_are_those_of_the_rules() {
    assert_eq!(Queue::default().policy("support"), tieline_model::policy::QueuePolicy::named("support"));
}

#[test]
fn origins_are_exact() {
    for good in ["https://a.example", "http://127.0.0.1:8080", "http://[::1]:8080", "https://a.example:8443"]
    {
        assert!(http::check_origin(good, false).is_ok(), "{good}");
    }
    for bad in [
        "a.example",
        "https://",
        "https://a.example/",
        "https://A.example",
        "https://*.a.example",
        "ftp://a.example",
        "https://a.example:443",
        "https://a b",
        "https://a.example;script-src *",
        "https://u@a.example",
        "https://a.example:0",
        "https://a.example:08",
    ] {
        assert!(http::check_origin(bad, false).is_err(), "{bad}");
    }
    assert!(http::check_origin("https://*.force.example", true).is_ok());
}

#[test]
fn a_key_file_is_made_once_and_is_private() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sub/auth.key");
    let first = read_or_make_key(&path).unwrap();
    assert_eq!(read_or_make_key(&path).unwrap(), first);
    assert_ne!(read_or_make_key(&dir.path().join("other.key")).unwrap(), first);
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(read_or_make_key(&path).unwrap_err().to_string().contains("chmod 600"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    std::fs::write(&path, "not a key").unwrap();
    assert!(read_or_make_key(&path).is_err());
}

#[test]
fn the_schema_says_that_unknown_keys_are_refused() {
    let schema = schema();
    assert_eq!(schema["additionalProperties"], false);
    for (name, part) in schema["$defs"].as_object().unwrap() {
        if part["type"] == "object" {
            assert_eq!(part["additionalProperties"], false, "{name}");
        }
    }
}

// proves D13
#[test]
fn a_connection_may_have_a_request_budget_of_its_own() {
    let text = |own: &str| {
        format!(
            "[dispatch]\nbudget_per_second = 30\n[tenants.acme.connections.tickets]\ntype = \"zendesk\"\n{own}\n\
             [tenants.acme.connections.tickets.zendesk]\n"
        )
    };
    let settings = load_text(&text("budget_burst = 11"), none()).unwrap();
    let tickets = &settings.tenants[&"acme".parse().unwrap()].connections[&"tickets".parse().unwrap()];
    let patience = settings.dispatch.with(tickets);
    assert_eq!(
        (patience.budget_per_second, patience.budget_burst, patience.budget_for_pops),
        (30, 11, settings.dispatch.budget_for_pops)
    );
    let said = load_text(&text("budget_burst = 10"), none()).unwrap_err().to_string();
    assert!(said.contains("tenants.acme.connections.tickets.budget_for_pops"), "{said}");
}
