use core::time::Duration;

use crate::error::Kind;
use crate::fields::{Field, Fields, Parameters};
use crate::manifest::{Abilities, Manifest};

#[derive(Debug, PartialEq)]
struct Config {
    endpoint: String,
    mode: String,
    retries: i64,
    confirm: bool,
    wait: Duration,
}

impl Config {
    fn new() -> Config {
        Config { endpoint: String::new(), mode: "put".into(), retries: 3, confirm: false, wait: Duration::from_secs(1) }
    }

    fn fields(&mut self) -> Fields<'_> {
        Fields::new([
            Field::string("endpoint", &mut self.endpoint).required().describe("where \"it\" is\n"),
            Field::string("mode", &mut self.mode).one_of(&["put", "move"]),
            Field::integer("retries", &mut self.retries).range(0, 10),
            Field::boolean("confirm", &mut self.confirm).secret(),
            Field::duration("wait", &mut self.wait),
        ])
    }
}

fn decode(json: &str) -> Result<Config, String> {
    let mut config = Config::new();
    match Parameters::new(json.as_bytes()).decode(config.fields()) {
        Ok(()) => Ok(config),
        Err(e) => {
            assert_eq!(e.kind, Kind::InvalidArgument);
            Err(e.message)
        }
    }
}

#[test]
fn parameters_are_decoded_over_defaults() {
    let got = decode(
        r#" { "endpoint" : "a\u00e4\ud83d\ude00\ud83d!\n", "retries":10, "confirm": true, "wait": "1h2m3.5s" } "#,
    );
    let want = Config {
        endpoint: "a\u{e4}\u{1f600}\u{fffd}!\n".into(),
        retries: 10,
        confirm: true,
        wait: Duration::from_millis(3_723_500),
        ..Config::new()
    };
    assert_eq!(got.unwrap(), want);
    assert_eq!(decode(r#"{"endpoint":"","mode":"move"}"#).unwrap().mode, "move");
}

#[test]
fn a_wrong_parameter_is_named() {
    let cases = [
        ("", "parameter \"endpoint\" is missing"),
        ("[]", "the parameters are not a JSON object"),
        (r#"{"endpoint":"x"} x"#, "the parameters are not a JSON object"),
        (r#"{"endpoint":"x",}"#, "the parameters are not a JSON object"),
        (r#"{"endpoint":truly}"#, "the parameters are not a JSON object"),
        (r#"{"endpoint":"x"#, "the parameters are not a JSON object"),
        (r#"{"endpoint":{"a":[1,"]}"]}}"#, "parameter \"endpoint\" must be a string, not an object or array"),
        (r#"{"endpoint":null}"#, "parameter \"endpoint\" must be a string, not null"),
        (r#"{"where":1}"#, "unknown parameter \"where\"; there are: endpoint, mode, retries, confirm, wait"),
        (r#"{"mode":"s3cret"}"#, "parameter \"mode\" must be one of put, move"),
        (r#"{"retries":11}"#, "parameter \"retries\" must be 0 to 10"),
        (r#"{"retries":1.5}"#, "parameter \"retries\" must be a whole number, not a number"),
        (r#"{"retries":"1"}"#, "parameter \"retries\" must be a whole number, not a string"),
        (r#"{"confirm":"true"}"#, "parameter \"confirm\" must be true or false, not a string"),
        (r#"{"wait":"1"}"#, "parameter \"wait\" must be a duration such as \"1m30s\", not a string"),
        (r#"{"wait":"-1s"}"#, "parameter \"wait\" must be a duration such as \"1m30s\", not a string"),
        (r#"{"wait":"9999999999h"}"#, "parameter \"wait\" must be a duration such as \"1m30s\", not a string"),
        (r#"{"wait":".s"}"#, "parameter \"wait\" must be a duration such as \"1m30s\", not a string"),
    ];
    for (json, want) in cases {
        assert_eq!(decode(json).unwrap_err(), want, "{}", json);
    }
}

#[test]
fn durations_are_those_of_go() {
    for (text, nanoseconds) in
        [("0", 0), ("0s", 0), ("1.5ms", 1_500_000), ("2us3ns", 2_003), ("1\u{b5}s", 1_000), ("+1m.5s", 60_500_000_000)]
    {
        let json = format!(r#"{{"endpoint":"","wait":"{}"}}"#, text);
        assert_eq!(decode(&json).unwrap().wait, Duration::from_nanos(nanoseconds), "{}", text);
    }
}

#[test]
fn nested_parameters_do_not_use_up_the_stack() {
    let json = "{\"endpoint\":".to_owned() + &"[".repeat(1 << 20);
    assert_eq!(decode(&json).unwrap_err(), "the parameters are not a JSON object");
}

#[test]
fn the_schema_is_made_of_the_fields() {
    let want = concat!(
        r#"{"type":"object","additionalProperties":false,"properties":{"#,
        r#""endpoint":{"type":"string","description":"where \"it\" is\u000a"},"#,
        r#""mode":{"type":"string","enum":["put","move"]},"#,
        r#""retries":{"type":"integer","minimum":0,"maximum":10},"#,
        r#""confirm":{"type":"boolean","writeOnly":true},"wait":{"type":"string"}},"required":["endpoint"]}"#
    );
    assert_eq!(Config::new().fields().schema().as_str(), want);
}

#[test]
fn a_manifest_has_what_is_set() {
    let m = Manifest {
        name: "all",
        version: "2",
        description: "d",
        hosts: &["{endpoint}", "https://a"],
        stores: &["under"],
        credentials: &["storage"],
        secrets: &["salt"],
        memory: 1 << 20,
        instances: 1,
        abilities: Abilities::MOVE_TREE | Abilities::LIST_UPLOADS,
        ..Manifest::default()
    };
    let want = concat!(
        r#"{"name":"all","version":"2","description":"d","schema":{"type":"object","additionalProperties":false,"properties":{}},"#,
        r#""hosts":["{endpoint}","https://a"],"stores":["under"],"credentials":["storage"],"secrets":["salt"],"#,
        r#""memory":1048576,"instances":1,"abilities":["move-tree","list-uploads"]}"#
    );
    assert_eq!(m.json(), want);
}
