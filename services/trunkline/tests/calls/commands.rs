//! The operator's commands, beside a call that is led by keys.

use serde_json::Value;

use crate::promtool::promtool_accepts;
use crate::world::{PERSON, Setting, World, prompt};

#[test]
fn a_call_is_led_by_keys_and_an_operator_sees_it_and_ends_another() {
    let world = World::start(Setting::default());
    let call = world.ring();
    world.greeted(&call);
    world.teams().press_key(&call, "3").unwrap();
    world.when(&call, "news", |view| view.times_played(&prompt("news")) == 1);

    let listed = world.asked(&["call", "list"]);
    assert_eq!(listed["calls"].as_array().unwrap().len(), 1, "{listed}");
    let listed = &listed["calls"][0];
    assert_eq!(
        (&listed["key"], &listed["bot"], &listed["state"]),
        (
            &Value::from(call.as_str()),
            &Value::from("hotline"),
            &Value::from("established")
        )
    );
    let compact = call.replace('-', "").to_uppercase();
    let shown = world.asked(&["call", "show", &compact]);
    assert_eq!(
        shown["call"]["id"],
        call.as_str(),
        "found by another spelling of its id"
    );
    let happened: Vec<&str> = shown["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .map(|moment| moment["kind"].as_str().unwrap())
        .collect();
    for kind in ["notification", "operation", "turn"] {
        assert!(happened.contains(&kind), "{shown:#}");
    }
    let table = world.cluster.command(&["call", "show", &call, "--bot", "hotline"]);
    assert!(table.contains("State established"), "{table}");

    let under_way = world.cluster.sum_of_workers("trunkline_worker_calls");
    assert!((under_way - 1.0).abs() < 0.5, "{under_way}");

    // One more, which a person takes over.
    let other = world.ring();
    world.greeted(&other);
    world.teams().press_key(&other, "1").unwrap();
    world.when(&other, "ringing person", |view| view.ringing.contains(&PERSON));
    world.teams().pick_up(&other, PERSON).unwrap();
    let handed_on = world.over(&other);
    assert!(handed_on.transferred_to.is_some(), "{handed_on:#?}");

    let told = world.cluster.command(&["call", "hangup", &call]);
    assert!(told.contains("ends"), "{told}");
    world.over(&call);
    world.wait_until_quiet();

    let audit = world.audit();
    assert_eq!(audit.len(), 2, "{audit:#?}");
    let of = |id: &str| audit.iter().find(|entry| entry["record"]["id"] == id).unwrap();
    assert_eq!(of(&call)["record"]["byOperator"], true);
    assert_eq!(of(&other)["record"]["byOperator"], false);
    assert_eq!(of(&other)["record"]["result"]["subcode"], 7_015, "{audit:#?}");
    let metrics: Vec<String> = world
        .cluster
        .workers
        .iter()
        .filter_map(trunkline_fleet::cluster::Node::metrics)
        .collect();
    for metrics in &metrics {
        promtool_accepts(metrics);
    }
    let ended = r#"trunkline_worker_calls_ended_total{bot="hotline",by="bot",code="200"}"#;
    assert!(metrics.iter().any(|metrics| metrics.contains(ended)), "{metrics:#?}");
    let quota = world.asked(&["call", "quota"]);
    assert_eq!(quota["usage"][0]["calls"], 2, "{quota}");
    assert_eq!(quota["limits"]["quota"], 10_000, "{quota}");
    // Over, and found all the same.
    let shown = world.cluster.command(&["call", "show", &call]);
    assert!(shown.contains("by an operator"), "{shown}");
    assert_eq!(world.cluster.try_command(&["call", "show", "no-such-call"]), None);
}

#[test]
fn a_tenant_that_has_as_many_calls_as_it_may_is_busy() {
    let world = World::start(Setting {
        workers: 1,
        settings: vec![("calls.simultaneous", "1".to_owned())],
        ..Setting::default()
    });
    let first = world.ring();
    world.greeted(&first);
    let second = world.over(&world.ring());
    assert!(
        second.requested().contains(&("reject", 202)),
        "the second is rejected: {second:#?}"
    );
    world.teams().hang_up(&first).unwrap();
    world.over(&first);
    world.wait_until_quiet();
    let third = world.ring();
    world.greeted(&third);
}
