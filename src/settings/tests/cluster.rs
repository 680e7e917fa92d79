//! Several replicas, as ops write them down.

use super::*;

/// The lines of what is wrong, by key.
fn wrong(text: &str) -> Vec<String> {
    wrong_with(&format!("{SHARED}{text}"))
}

fn wrong_with(text: &str) -> Vec<String> {
    load_text(text, none())
        .map_or_else(|e| e.to_string().lines().map(str::to_owned).collect(), |_| Vec::new())
}

const SHARED: &str = "[journal]\nkind = \"postgres\"\n";
const FILES: &str = "ca_file = \"ca.pem\"\ncert_file = \"cert.pem\"\nkey_file = \"key.pem\"\n";
const PAGES: &str = "[http]\npublic_url = \"https://chat.example.com\"\n";

#[test]
fn a_replica_that_takes_from_others_has_a_certificate_and_an_address_to_dial() {
    let good = format!("{PAGES}[cluster]\nlisten = \"0.0.0.0:8443\"\naddress = \"tieline-0:8443\"\n{FILES}");
    assert_eq!(wrong(&good), [""; 0]);
    let bound = "10.1.2.3:8443".parse().unwrap();
    assert_eq!(
        load_text(&format!("{SHARED}{good}"), none()).unwrap().cluster.reached_at(bound),
        "tieline-0:8443"
    );
    let plain = format!("{PAGES}[cluster]\nlisten = \"10.1.2.3:8443\"\n{FILES}");
    assert_eq!(
        load_text(&format!("{SHARED}{plain}"), none()).unwrap().cluster.reached_at(bound),
        "10.1.2.3:8443"
    );

    let bare = wrong("[cluster]\nlisten = \"0.0.0.0:8443\"");
    let begins = |lines: &[String], key: &str| lines.iter().filter(|line| line.starts_with(key)).count();
    for key in ["`cluster.ca_file`", "`cluster.cert_file`", "`cluster.key_file`", "`cluster.address`"] {
        assert_eq!(begins(&bare, key), 1, "{key} in {bare:?}");
    }
    let half = wrong("[cluster]\nca_file = \"ca.pem\"");
    assert_eq!(
        (begins(&half, "`cluster.cert_file`"), begins(&half, "`http.public_url`")),
        (1, 1),
        "{half:?}"
    );
    for address in
        ["tieline-0", "tieline-0:0", "tieline-0:99999", "https://tieline-0:8443", "Tieline:8443", ":8443"]
    {
        let said = wrong(&format!("{PAGES}[cluster]\nlisten = \"[::]:1\"\naddress = \"{address}\"\n{FILES}"));
        assert_eq!(begins(&said, "`cluster.address` is"), 1, "{address}: {said:?}");
    }
    for text in ["lease = \"1s\"", "connect_within = \"1m\"", "connections_max = 0", "name = \"*.internal\""]
    {
        let key = format!("`cluster.{}`", text.split_once(' ').unwrap().0);
        assert_eq!(begins(&wrong(&format!("[cluster]\n{text}")), &key), 1, "{text}");
    }
}

#[test]
fn a_process_has_all_roles_unless_it_is_told_otherwise() {
    let all = Roles { gateway: true, core: true, connectors: true };
    assert_eq!(load_text("", none()).unwrap().roles(), all);
    let gateway = format!("{PAGES}[daemon]\nroles = [\"gateway\"]\n");
    assert_eq!(wrong(&gateway).len(), 3, "without a core it needs all three files: {:?}", wrong(&gateway));
    let settings = load_text(&format!("{SHARED}{gateway}[cluster]\n{FILES}"), none()).unwrap();
    assert_eq!(settings.roles(), Roles { gateway: true, core: false, connectors: false });
    let core = wrong("[daemon]\nroles = [\"core\"]");
    assert!(core[0].starts_with("`cluster.listen` is missing"), "{core:?}");
    assert!(wrong("[daemon]\nroles = []")[0].starts_with("`daemon.roles` is empty"));
    let unknown = load_text("[daemon]\nroles = [\"owner\"]", none()).unwrap_err().to_string();
    assert!(unknown.contains("gateway, core, connectors"), "{unknown}");
}

#[test]
fn roles_of_the_command_line_go_over_those_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tieline.toml");
    std::fs::write(&path, format!("{SHARED}[daemon]\nroles = [\"core\", \"gateway\"]")).unwrap();
    let settings = load_as(&[Role::Gateway, Role::Core, Role::Connectors], Some(&path), none()).unwrap();
    assert!(settings.roles().connectors);
    assert!(!load_as(&[], Some(&path), none()).unwrap().roles().connectors);
}

#[test]
fn the_identity_is_read_from_its_files_and_a_missing_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["ca.pem", "cert.pem", "key.pem"] {
        std::fs::write(at(name), format!("-- {name} --")).unwrap();
    }
    let mut cluster = Cluster { ca_file: Some(at("ca.pem")), ..Cluster::default() };
    assert!(cluster.identity().unwrap().is_none());
    (cluster.cert_file, cluster.key_file) = (Some(at("cert.pem")), Some(at("key.pem")));
    let identity = cluster.identity().unwrap().unwrap();
    assert_eq!((identity.ca.as_str(), identity.key.reveal()), ("-- ca.pem --", "-- key.pem --"));
    assert!(!format!("{identity:?}").contains("key.pem"), "a key is shown");
    cluster.key_file = Some(at("gone.pem"));
    let said = cluster.identity().unwrap_err().to_string();
    assert!(said.starts_with("`cluster.key_file` names ") && said.contains("gone.pem"), "{said}");
}

#[test]
fn a_journal_in_a_file_has_one_process_alone() {
    for (text, key) in [
        ("[cluster]\nlisten = \"127.0.0.1:8443\"", "`cluster.listen` is set, and a journal in a file"),
        ("[daemon]\nroles = [\"gateway\"]", "`daemon.roles` leaves out a part of the work"),
    ] {
        let said = wrong_with(text);
        assert!(said.iter().any(|line| line.starts_with(key)), "{said:?}");
        assert!(!wrong(text).iter().any(|line| line.contains("in a file")), "{text}");
    }
}
