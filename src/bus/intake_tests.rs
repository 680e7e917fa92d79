use super::*;
use serde_json::json;

fn intake() -> Intake {
    let gb: Country = "GB".parse().unwrap();
    Intake::new(BTreeMap::from([
        (TenantId::new("acme").unwrap(), Some(gb)),
        (TenantId::new("globex").unwrap(), None),
    ]))
}

fn translate(message: &Value) -> Result<Request, Rejected> {
    let mut n = 0;
    let mut mint = || {
        n += 1;
        Uuid::from_u128(n)
    };
    intake().translate(message.to_string().as_bytes(), None, &mut mint)
}

fn ringing() -> Value {
    json!({
        "specversion": "1.0",
        "id": "e-1",
        "source": "/pbx/vienna",
        "type": "com.tieline.call.ringing.v1",
        "time": "2026-11-20T12:00:00.5Z",
        "datacontenttype": "application/json; charset=utf-8",
        "tenant": "acme",
        "data": { "call": "c-1", "from": "020 7946 0000", "to": "+442079460001", "agents": ["anna", "201"], "queue": "support" },
    })
}

/// The same message with one field (a JSON pointer) replaced; `null` counts as left out.
fn with(pointer: &str, value: Value) -> Value {
    let mut message = ringing();
    match message.pointer_mut(pointer) {
        Some(place) => *place = value,
        None => {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            message.pointer_mut(parent).unwrap()[name] = value;
        }
    }
    message
}

// proves E1
#[test]
fn a_ringing_call_becomes_a_report_with_its_numbers_as_content() {
    let request = translate(&ringing()).unwrap();
    assert_eq!(request.tenant.as_str(), "acme");
    assert_eq!(request.command.id.as_str(), "e-1");
    assert_eq!(request.command.by, Actor::Producer { name: "/pbx/vienna".to_owned() });
    let Wish::ReportCall { call, interaction, conversation, fact } = request.command.wish else { panic!() };
    assert_eq!((call.as_str(), interaction.0.as_u128(), conversation.0.as_u128()), ("c-1", 1, 2));
    let CallFact::Ringing { agents, queue, numbers, withheld, direction } = fact else { panic!() };
    assert_eq!(direction, Direction::Inbound);
    assert_eq!(agents, ["anna", "201"]);
    assert_eq!(queue, Some(QueueId::new("support").unwrap()));
    assert!(!withheld);
    let [content] = request.content.as_slice() else { panic!() };
    assert_eq!((content.id, content.conversation), (numbers.id, conversation));
    let numbers =
        CallNumbers { from: Some("020 7946 0000".to_owned()), to: Some("+442079460001".to_owned()) };
    assert_eq!(content.content, Content::Call { numbers });
    assert_eq!(request.handles, [(conversation, Handle::Phone("+442079460000".to_owned()))]);
}

// proves E1
#[test]
fn answered_and_ended_become_reports_without_content() {
    let mut message = with("/type", json!("com.tieline.call.answered.v1"));
    message["data"] = json!({ "call": "c-1", "agent": "anna" });
    let request = translate(&message).unwrap();
    assert!(request.content.is_empty() && request.handles.is_empty());
    let Wish::ReportCall { fact: CallFact::Answered { agent }, .. } = request.command.wish else { panic!() };
    assert_eq!(agent, "anna");
    message["type"] = json!("com.tieline.call.ended.v1");
    message["data"] = json!({ "call": "c-1" });
    let wish = translate(&message).unwrap().command.wish;
    assert!(matches!(wish, Wish::ReportCall { fact: CallFact::Ended, .. }));
}

// proves E1
#[test]
fn hold_and_transfer_become_reports_without_content() {
    let report = |kind: &str, data| {
        let mut message = with("/type", json!(kind));
        message["data"] = data;
        let request = translate(&message).unwrap();
        assert!(request.content.is_empty() && request.handles.is_empty());
        let Wish::ReportCall { fact, .. } = request.command.wish else { panic!() };
        fact
    };
    assert_eq!(report("com.tieline.call.held.v1", json!({ "call": "c-1" })), CallFact::Held);
    assert_eq!(report("com.tieline.call.resumed.v1", json!({ "call": "c-1" })), CallFact::Resumed);
    let to = report("com.tieline.call.transferred.v1", json!({ "call": "c-1", "to": "201" }));
    assert_eq!(to, CallFact::Transferred { to: "201".to_owned() });
    let mut message = with("/type", json!("com.tieline.call.transferred.v1"));
    message["data"] = json!({ "call": "c-1", "to": "a\u{7}" });
    let rejected = translate(&message).unwrap_err();
    assert_eq!((rejected.code, rejected.field.as_deref()), (Code::Invalid, Some("data.to")));
    message["data"] = json!({ "call": "c-1", "agent": "201" });
    assert_eq!(translate(&message).unwrap_err().field.as_deref(), Some("data"));
}

// proves E1, E4
#[test]
fn a_dialled_call_is_found_by_the_number_that_was_dialled() {
    let mut message = with("/type", json!("com.tieline.call.dialled.v1"));
    message["data"] = json!({ "call": "c-1", "agent": "201", "to": "020 7946 0000", "from": "+442079460001", "queue": "sales" });
    let request = translate(&message).unwrap();
    let Wish::ReportCall { conversation, fact, .. } = request.command.wish else { panic!() };
    let CallFact::Dialled { agent, queue, numbers } = fact else { panic!() };
    assert_eq!((agent.as_str(), queue), ("201", Some(QueueId::new("sales").unwrap())));
    let [content] = request.content.as_slice() else { panic!() };
    assert_eq!((content.id, content.conversation), (numbers.id, conversation));
    let Content::Call { numbers } = &content.content else { panic!() };
    assert_eq!(numbers.customer(Direction::Outbound), Some("020 7946 0000"));
    assert_eq!(numbers.line(Direction::Outbound), Some("+442079460001"));
    assert_eq!(request.handles, [(conversation, Handle::Phone("+442079460000".to_owned()))]);
}

// proves E1, E4
#[test]
fn a_phone_that_rings_for_a_call_out_belongs_to_the_number_called() {
    let request = translate(&with("/data/direction", json!("outbound"))).unwrap();
    let Wish::ReportCall { fact, .. } = request.command.wish else { panic!() };
    let CallFact::Ringing { direction, withheld, .. } = fact else { panic!() };
    assert_eq!((direction, withheld), (Direction::Outbound, false));
    let [(_, handle)] = request.handles.as_slice() else { panic!() };
    assert_eq!(*handle, Handle::Phone("+442079460001".to_owned()));
}

// proves E1, E4
#[test]
fn a_recording_becomes_a_report_with_its_address_as_content() {
    let mut message = with("/type", json!("com.tieline.call.recording_ready.v1"));
    let url = "https://recordings.example/7?id=a%20b&part=1";
    message["data"] = json!({ "call": "c-1", "url": url });
    let request = translate(&message).unwrap();
    let Wish::ReportCall { fact: CallFact::RecordingReady { recording }, .. } = request.command.wish else {
        panic!()
    };
    let [content] = request.content.as_slice() else { panic!() };
    assert_eq!((content.id, &content.content), (recording.id, &Content::Recording { url: url.to_owned() }));
    for bad in [
        "",
        "recordings.example/7",
        "javascript:alert(1)",
        "ftp://recordings.example/7",
        "https://",
        "https://a b",
        "https://a.example/\n7",
        "https://a.example/<script>",
        "https://ä.example/",
        &format!("https://a.example/{}", "x".repeat(2_048)),
    ] {
        message["data"]["url"] = json!(bad);
        let rejected = translate(&message).expect_err(bad);
        assert_eq!((rejected.code, rejected.field.as_deref()), (Code::Invalid, Some("data.url")), "{bad}");
    }
}

// proves E2
#[test]
fn a_withheld_number_is_no_number() {
    for from in [json!(null), json!(""), json!("anonymous"), json!("sip:anonymous@anonymous.invalid")] {
        let request = translate(&with("/data/from", from.clone())).unwrap();
        let Wish::ReportCall { fact: CallFact::Ringing { withheld, .. }, .. } = request.command.wish else {
            panic!()
        };
        assert!(withheld, "{from}");
        assert!(request.handles.is_empty());
        let Content::Call { numbers } = &request.content[0].content else { panic!() };
        assert_eq!(numbers.from, None, "{from}");
    }
}

#[test]
fn a_number_of_no_known_country_is_kept_as_written_and_found_by_nothing() {
    let request = translate(&with("/tenant", json!("globex"))).unwrap();
    assert!(request.handles.is_empty());
    let Content::Call { numbers } = &request.content[0].content else { panic!() };
    assert_eq!(numbers.from.as_deref(), Some("020 7946 0000"));
}

/// What must be said of each kind of wrong message: code, field, limit, and words of the way out.
#[test]
fn every_fault_is_named_with_field_limit_and_way_out() {
    let long = |n: usize| json!("x".repeat(n));
    let cases: Vec<(Value, Code, &str, Option<u64>, &str)> = vec![
        (with("/specversion", json!("0.3")), Code::Invalid, "specversion", None, "must be \"1.0\""),
        (with("/id", json!(null)), Code::Invalid, "id", None, "missing"),
        (with("/id", json!("")), Code::Invalid, "id", None, "missing or empty"),
        (with("/id", json!(7)), Code::Invalid, "id", None, "must be a text"),
        (with("/id", json!("a b")), Code::Invalid, "id", Some(128), "UUID"),
        (with("/id", json!("é")), Code::Invalid, "id", Some(128), "ASCII"),
        (with("/id", long(129)), Code::Invalid, "id", Some(128), "128"),
        (with("/source", json!(null)), Code::Invalid, "source", None, "missing"),
        (with("/source", long(129)), Code::Invalid, "source", Some(128), "/pbx/vienna"),
        (
            with("/type", json!("com.tieline.call.exploded.v1")),
            Code::Invalid,
            "type",
            None,
            "com.tieline.call.ringing.v1, com.tieline.call.dialled.v1, com.tieline.call.answered.v1",
        ),
        (with("/type", json!("call.ringing.v1")), Code::Invalid, "type", None, "com.tieline.call.ringing.v1"),
        (with("/tenant", json!("nobody")), Code::NotFound, "tenant", None, "operator"),
        (with("/tenant", json!("NOT A SLUG")), Code::NotFound, "tenant", None, "operator"),
        (with("/time", json!("yesterday")), Code::Invalid, "time", None, "RFC 3339"),
        (
            with("/datacontenttype", json!("text/xml")),
            Code::Invalid,
            "datacontenttype",
            None,
            "application/json",
        ),
        (with("/data_base64", json!("e30=")), Code::Invalid, "data_base64", None, "JSON object"),
        (with("/data", json!("text")), Code::Invalid, "data", None, "JSON object"),
        (with("/data/call", json!(null)), Code::Invalid, "data.call", None, "missing"),
        (with("/data/call", long(129)), Code::Invalid, "data.call", Some(128), "128"),
        (with("/data/agents", json!([])), Code::Invalid, "data.agents", Some(100), "1 to 100"),
        (with("/data/agents", json!(vec!["a"; 101])), Code::Invalid, "data.agents", Some(100), "1 to 100"),
        (with("/data/agents", json!("anna")), Code::Invalid, "data.agents", Some(100), "list"),
        (with("/data/agents", json!([1])), Code::Invalid, "data.agents", Some(100), "list"),
        (with("/data/agents", json!(["a", long(65)])), Code::Invalid, "data.agents[1]", Some(64), "64"),
        (with("/data/direction", json!("sideways")), Code::Invalid, "data.direction", None, "outbound"),
        (with("/data/queue", json!("Not A Slug")), Code::Invalid, "data.queue", Some(64), "a-z"),
        (with("/data/from", long(257)), Code::TooLong, "data.from", Some(256), "256"),
        (with("/data/form", json!("misspelt")), Code::Invalid, "data", None, "call, from, to, agents, queue"),
    ];
    for (message, code, field, limit, way_out) in cases {
        let rejected = translate(&message).expect_err(&message.to_string());
        assert_eq!(
            (rejected.code, rejected.field.as_deref(), rejected.limit),
            (code, Some(field), limit),
            "{rejected}"
        );
        assert!(rejected.message.contains(way_out), "{rejected}");
    }
}

#[test]
fn what_is_no_envelope_at_all_is_told_so() {
    let mut mint = || Uuid::nil();
    let broken = intake().translate(b"{\"id\": \"e-1\",\n oops", None, &mut mint).unwrap_err();
    assert_eq!(broken.code, Code::Invalid);
    assert!(broken.message.contains("not JSON (line 2, column 2)"), "{broken}");
    let list = intake().translate(b"[]", None, &mut mint).unwrap_err();
    assert!(list.message.contains("no object"), "{list}");
    assert!(intake().translate(&[0xff, 0xfe], None, &mut mint).is_err());
    let large = vec![b' '; BODY_BYTES_MAX + 1];
    let large = intake().translate(&large, None, &mut mint).unwrap_err();
    assert_eq!((large.code, large.limit), (Code::TooLong, Some(262_144)));
    assert!(large.message.contains("262145 bytes"), "{large}");
}

#[test]
fn a_producer_let_in_for_one_tenant_cannot_tell_another_from_none() {
    let mut mint = || Uuid::nil();
    let globex = TenantId::new("globex").unwrap();
    let body = ringing().to_string();
    let other = intake().translate(body.as_bytes(), Some(&globex), &mut mint).unwrap_err();
    let none = translate(&with("/tenant", json!("nobody"))).unwrap_err();
    assert_eq!(other, none);
    assert!(intake().translate(body.as_bytes(), Some(&TenantId::new("acme").unwrap()), &mut mint).is_ok());
}

#[test]
fn a_rejection_never_repeats_what_the_message_held() {
    let secret = "+442079460999";
    for pointer in
        ["/id", "/source", "/type", "/tenant", "/time", "/data", "/data/call", "/data/agents", "/data/queue"]
    {
        for value in [json!(format!("{secret} {secret}")), json!([secret]), json!({ secret: secret })] {
            if let Err(rejected) = translate(&with(pointer, value)) {
                assert!(!rejected.message.contains(secret), "{pointer}: {rejected}");
                assert!(!rejected.field.is_some_and(|f| f.contains(secret)));
            }
        }
    }
}
