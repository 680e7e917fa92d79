//! Templates, FAQ entries and scripts.

use super::*;
use std::collections::BTreeMap;

fn desk(text: &str) -> Tenant {
    let text = format!("[tenants.acme.queues.support]\n{text}");
    load_text(&text, none()).unwrap().tenants[&"acme".parse().unwrap()].clone()
}

fn problems(text: &str) -> String {
    let text = format!("[tenants.acme.queues.support]\n{text}");
    load_text(&text, none()).unwrap_err().to_string()
}

fn template(text: &str) -> String {
    format!("[tenants.acme.templates.t]\ntitle = \"T\"\ntext = \"{text}\"\n")
}

fn script(steps: &str) -> String {
    format!("[tenants.acme.scripts.s]\nsteps = [{steps}]\n")
}

fn says(problems: &str, key: &str, what: &str) {
    let line = problems.lines().find(|line| line.contains(&format!("`{key}`")));
    let line = line.unwrap_or_else(|| panic!("{key} is not named in: {problems}"));
    assert!(line.contains(what), "{line}");
}

// proves B11
#[test]
fn a_template_has_only_placeholders_that_can_be_filled() {
    let good = desk(&template("{a} {{customer.name}}, {{ field.order-number_2 }} {{agent.name}}"));
    let pieces = good.templates["t"].pieces().unwrap();
    assert_eq!(pieces[0], Piece::Text("{a} "));
    assert_eq!(pieces[3], Piece::Hole(Placeholder::Field("order-number_2")));
    for (text, what) in [
        ("hi {{customer.nmae}}", "unknown placeholder `{{customer.nmae}}`"),
        ("hi {{field.}}", "unknown placeholder `{{field.}}`"),
        ("hi {{field.Order number}}", "unknown placeholder"),
        ("hi {{{agent.name}}}", "unknown placeholder"),
        ("hi {{agent.name", "`{{` without `}}`"),
        ("hi agent.name}} {{agent.name}}", "`}}` without `{{`"),
        ("hi {{agent.name}} }}", "`}}` without `{{`"),
    ] {
        let said = problems(&template(text));
        says(&said, "tenants.acme.templates.t.text", what);
        says(&said, "tenants.acme.templates.t.text", "write {{customer.name}}");
    }
    let queues = format!("{}queues = [\"sales\"]\n", template("hi"));
    says(
        &problems(&queues),
        "tenants.acme.templates.t.queues",
        "names \"sales\"; name queues of this tenant (support)",
    );
    let faq = "[tenants.acme.faq.\"A b\"]\nquestion = \"Q\"\nanswer = \"\"\nqueues = [\"sales\"]\n";
    let said = problems(faq);
    says(&said, "tenants.acme.faq.A b", "cannot stand in an address");
    says(&said, "tenants.acme.faq.A b.answer", "has 0 characters");
    says(&said, "tenants.acme.faq.A b.queues", "names \"sales\"");
}

// proves G3
#[test]
fn a_script_leads_somewhere_and_ends() {
    let dangling = script("{ id = \"a\", text = \"A\", next = \"b\" }");
    says(
        &problems(&dangling),
        "tenants.acme.scripts.s.steps[0].next",
        "is \"b\", which no step is called; name a step of this script (a)",
    );
    let circle = script(
        "{ id = \"a\", text = \"A\", next = \"b\" }, { id = \"b\", text = \"B\", fields = [{ name = \"x\" }], \
         branches = [{ field = \"x\", is = \"1\", go = \"a\" }], next = \"c\" }, { id = \"c\", text = \"C\" }",
    );
    says(
        &problems(&circle),
        "tenants.acme.scripts.s.steps",
        "go round in a circle or lead into one: a, b; let",
    );
    says(
        &problems(&script("{ id = \"a\", text = \"A\", next = \"a\" }")),
        "tenants.acme.scripts.s.steps",
        "circle",
    );
    says(&problems(&script("")), "tenants.acme.scripts.s.steps", "is 0");
    let odd = script(
        "{ id = \"a\", text = \"A\", fields = [{ name = \"x\", kind = \"yes_no\", options = [\"o\"] }, \
         { name = \"x\", kind = \"choice\" }], branches = [{ field = \"x\", is = \"maybe\", go = \"b\" }, \
         { field = \"y\", is = \"1\", go = \"b\" }] }, { id = \"b\", text = \"B\" }, { id = \"b\", text = \"B\" }",
    );
    let said = problems(&odd);
    let at = "tenants.acme.scripts.s.steps[0]";
    says(&said, &format!("{at}.fields[0].options"), "the field is no choice");
    says(&said, &format!("{at}.fields[1].options"), "is 0");
    says(&said, &format!("{at}.fields[1].name"), "is \"x\" again");
    says(&said, &format!("{at}.branches[0].is"), "choose an answer (yes, no)");
    says(&said, &format!("{at}.branches[1].field"), "no field is called");
    says(&said, "tenants.acme.scripts.s.steps[2].id", "is \"b\" again");
    says(
        &problems("script = \"s\"\n"),
        "tenants.acme.queues.support.script",
        "name a script of this tenant's `scripts`",
    );
}

// proves G3
#[test]
fn answers_choose_the_way_through_a_script() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tieline.example.toml");
    let settings = load(Some(&path), none()).unwrap();
    let script = &settings.tenants[&"acme".parse().unwrap()].scripts["parcel"];
    let way = |answers: &[(&str, &str)]| -> Vec<String> {
        let answers: BTreeMap<_, _> =
            answers.iter().map(|(field, answer)| ((*field).to_owned(), (*answer).to_owned())).collect();
        script.path(&answers).into_iter().map(|step| step.id.clone()).collect()
    };
    assert_eq!(way(&[]), ["order", "thanks"]);
    assert_eq!(way(&[("Damaged", "no")]), ["order", "thanks"]);
    assert_eq!(way(&[("Damaged", "yes")]), ["order", "damage", "thanks"]);
}

// proves B11, G3
#[test]
fn a_reload_names_each_entry_that_changed() {
    let with = |text: &str| {
        let text = format!(
            "[tenants.acme.queues.support]\n{}[tenants.acme.faq.f]\nquestion = \"Q\"\nanswer = \"{text}\"\n{}",
            template(text),
            script(&format!("{{ id = \"a\", text = \"{text}\" }}"))
        );
        load_text(&text, none()).unwrap()
    };
    let started = with("one");
    let live = Live::new(started.clone());
    let changes = Changes::between(&started, &live.tenants(), with("two"));
    let keys = ["templates.t", "faq.f", "scripts.s"].map(|key| format!("tenants.acme.{key}"));
    assert_eq!(changes.now, keys);
    assert!(changes.at_next_start.is_empty());
    live.exchange(changes.tenants);
    assert_eq!(live.tenant(&"acme".parse().unwrap()).unwrap().templates["t"].text, "two");
}
