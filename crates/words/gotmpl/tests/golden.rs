//! Compares with what Go itself prints. `go/golden.jsonl` was made by go1.27.3 with `go/generate.go` from `go/templates.txt`.

use gotmpl::{Functions, Missing, Options, Shape, Template, Value};

const GOLDEN: &str = include_str!("go/golden.jsonl");

/// The data of `generate.go`, in the order in which Go writes maps.
const DATA: &str = r#"{"Big":123456789.0,"Count":3,"Empty":"","Labels":{"a":"1","b":"2","c.d":"x y"},
"Markup":"<a href=\"x\">'&'</a>","Mixed":[1,"a",null,true,[1],{"k":"v"}],"Name":"web","None":[],
"Nothing":null,"Numbers":[1,2.5,-3],"Off":false,"On":true,"Path":"a b/ü?=1",
"Ports":{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"}],"90/udp":null},"Ratio":1.5,
"State":{"Health":{"Log":[{"Exit":0},{"Exit":1}]},"Pid":42,"Status":"running"},"Tags":["a","b","c"],
"Zero":0}"#;

fn run(text: &str, options: &Options) -> Result<String, String> {
    let data = Value::from_json(DATA).unwrap();
    let template = Template::parse("t", text, options).map_err(|error| error.to_string())?;
    template.execute(&data).map_err(|error| error.to_string())
}

#[test]
fn template_prints_what_go_prints() {
    let mut wrong = Vec::new();
    for line in GOLDEN.lines() {
        let case = Value::from_json(line).unwrap();
        let text_of = |key: &str| match case.get(key) {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        };
        let template = text_of("template").unwrap();
        let missing = if text_of("missing").unwrap() == "error" { Missing::Error } else { Missing::NoValue };
        let wanted = text_of("output").ok_or_else(|| text_of("error").unwrap());
        let options = Options { shape: Shape::Map, missing, functions: Functions::Docker };
        let got = run(&template, &options);
        if got != wanted {
            wrong.push(format!("{template:?}\n   got {got:?}\nwanted {wanted:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn null_of(field: &str) -> gotmpl::Null {
    if field == "Volumes" { gotmpl::Null::Map } else { gotmpl::Null::List }
}

fn run_struct(text: &str, missing: Missing) -> Result<String, String> {
    let options = Options {
        shape: Shape::Struct { type_name: "*T", null: null_of },
        missing,
        functions: Functions::Docker,
    };
    let json = r#"{"Z":"z","A":1,"Volumes":null,"Mounts":null,"Labels":{"a":"b"},"None":{},"Inner":{"N":1},"Nets":{"x":[1]}}"#;
    let template = Template::parse("", text, &options).map_err(|error| error.to_string())?;
    template.execute(&Value::from_json(json).unwrap()).map_err(|error| error.to_string())
}

#[test]
fn struct_nulls_print_as_their_type() {
    let text =
        "{{.Volumes}} {{.Mounts}} {{len .Volumes}} {{range .Mounts}}x{{else}}none{{end}} {{json .Mounts}}";
    assert_eq!(run_struct(text, Missing::NoValue), Ok("map[] [] 0 none null".into()));
}

#[test]
fn struct_members_keep_their_order_in_json() {
    assert_eq!(
        run_struct("{{json .}}", Missing::NoValue).unwrap(),
        r#"{"Z":"z","A":1,"Volumes":null,"Mounts":null,"Labels":{"a":"b"},"None":{},"Inner":{"N":1},"Nets":{"x":[1]}}"#
    );
}

#[test]
fn struct_missing_field_is_an_error_and_missing_label_is_none() {
    let error = |text: &str, missing| run_struct(text, missing).unwrap_err();
    for missing in [Missing::NoValue, Missing::Error] {
        assert_eq!(
            error("{{.X}}", missing),
            "template: :1:2: executing \"\" at <.X>: can't evaluate field X in type *T"
        );
        assert_eq!(
            error("{{.Inner.X}}", missing),
            "template: :1:8: executing \"\" at <.Inner.X>: can't evaluate field X in type *T"
        );
    }
    assert_eq!(run_struct("{{.Labels.x}}|{{.None.x}}", Missing::NoValue), Ok("<no value>|<no value>".into()));
    assert_eq!(
        error("{{.Labels.x}}", Missing::Error),
        "template: :1:9: executing \"\" at <.Labels.x>: map has no entry for key \"x\""
    );
    assert_eq!(
        run_struct("{{index .Labels \"x\"}}|{{index .Nets \"y\"}}|", Missing::Error),
        Ok("|[]|".into())
    );
}

#[test]
fn header_functions_return_the_column_name() {
    let options = Options { functions: Functions::Header, ..Options::default() };
    let template = Template::parse(
        "",
        "{{upper .ID}}\t{{truncate .ID 3}}\t{{pad .ID 1 1}}{{split .ID \",\"}}{{json .ID}}",
        &options,
    )
    .unwrap();
    let data = Value::from_json(r#"{"ID":"Container ID"}"#).unwrap();
    assert_eq!(
        template.execute(&data).unwrap(),
        "Container ID\tContainer ID\tContainer IDContainer IDContainer ID"
    );
}

#[test]
fn template_mentions_fields_wherever_they_stand() {
    let mentions = |text: &str| Template::parse("", text, &Options::default()).unwrap().mentions("Size");
    for text in [
        "{{.Size}}",
        "{{if .A}}{{$.Size}}{{end}}",
        "{{(index .A 0).Size}}",
        "{{define \"x\"}}{{.A.Size}}{{end}}",
    ] {
        assert!(mentions(text), "{text}");
    }
    assert!(!mentions("Size {{.Sizes}} {{\".Size\"}}"));
}

#[test]
fn recursion_and_nesting_end_in_errors() {
    let run = |text: &str| run(text, &Options::default()).unwrap_err();
    assert_eq!(
        run("{{define \"x\"}}{{template \"x\" .}}{{end}}{{template \"x\" .}}"),
        "template: t:1:25: executing \"x\" at <{{template \"x\" .}}>: exceeded maximum template depth (100)"
    );
    for text in [
        format!("{{{{{}1{}}}}}", "(".repeat(100_000), ")".repeat(100_000)),
        "{{if .On}}".repeat(100_000),
        format!("{{{{if .On}}}}{}", "{{else if .On}}".repeat(100_000)),
    ] {
        assert_eq!(run(&text), "template: t:1: max expression depth exceeded");
    }
}
