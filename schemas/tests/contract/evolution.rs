//! Writers of other versions: fields added, missing, in another order, of a wider type.

use apache_avro::Schema;
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use pulseline_schemas::{Decoded, Event, Stream, WriterSchema, decode, encode};
use serde_json::{Value, json};

use crate::events::fixed;

/// Writes the fixed event of `stream` with another schema, whose new fields `add` fills.
fn written_with(
    stream: Stream,
    schema: &Value,
    add: impl Fn(&mut Vec<(String, Avro)>),
) -> (WriterSchema, Vec<u8>) {
    let shipped = Schema::parse_str(stream.schema_json()).unwrap();
    let bytes = encode(&fixed(stream)).unwrap();
    let reader = apache_avro::reader::datum::GenericDatumReader::builder(&shipped)
        .build()
        .unwrap();
    let Avro::Record(mut fields) = reader.read_value(&mut bytes.as_slice()).unwrap() else {
        panic!("no record")
    };
    add(&mut fields);
    let other = Schema::parse_str(&schema.to_string()).unwrap();
    let value = Avro::Record(fields).resolve(&other).unwrap();
    let datum = GenericDatumWriter::builder(&other)
        .build()
        .unwrap()
        .write_value_to_vec(value)
        .unwrap();
    (WriterSchema::parse(&schema.to_string()).unwrap(), datum)
}

fn schema_of(stream: Stream) -> Value {
    serde_json::from_str(stream.schema_json()).unwrap()
}

fn fields_of(schema: &mut Value) -> &mut Vec<Value> {
    schema["fields"].as_array_mut().unwrap()
}

/// Every plain `int` made a `long`.
fn widened(schema: &Value) -> Value {
    match schema {
        Value::Object(fields) if fields.contains_key("logicalType") => schema.clone(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), widened(value)))
            .collect(),
        Value::Array(items) => items.iter().map(widened).collect(),
        Value::String(name) if name == "int" => json!("long"),
        other => other.clone(),
    }
}

fn as_shipped(stream: Stream) -> Decoded {
    let writer = WriterSchema::parse(stream.schema_json()).unwrap();
    decode(stream, &writer, &encode(&fixed(stream)).unwrap()).unwrap()
}

#[test]
fn fields_that_we_do_not_know_survive_and_change_the_hash_only_when_set() {
    let mut schema = schema_of(Stream::Steps);
    fields_of(&mut schema).insert(
        0,
        json!({"name": "firmware", "type": ["null", "string"], "default": null}),
    );
    let color = json!({"type": "enum", "name": "Color", "symbols": ["RED", "BLUE"]});
    let strap = json!({"type": "record", "name": "Strap", "fields": [
        {"name": "color", "type": color}, {"name": "mass_g", "type": "double"},
        {"name": "tags", "type": {"type": "map", "values": "bytes"}}]});
    fields_of(&mut schema).push(json!({"name": "strap", "type": ["null", strap], "default": null}));

    let (writer, datum) = written_with(Stream::Steps, &schema, |_| ());
    let unset = decode(Stream::Steps, &writer, &datum).unwrap();
    assert_eq!(
        unset,
        as_shipped(Stream::Steps),
        "null in a new optional field is the same content"
    );

    let (writer, datum) = written_with(Stream::Steps, &schema, |fields| {
        fields.push((
            "firmware".into(),
            Avro::Union(1, Box::new(Avro::String("35.72".into()))),
        ));
        let tags = [("a".to_owned(), Avro::Bytes(vec![1, 255]))]
            .into_iter()
            .collect();
        let strap = vec![
            ("color".into(), Avro::Enum(1, "BLUE".into())),
            ("mass_g".into(), Avro::Double(2.5)),
            ("tags".into(), Avro::Map(tags)),
        ];
        fields.push(("strap".into(), Avro::Union(1, Box::new(Avro::Record(strap)))));
    });
    let set = decode(Stream::Steps, &writer, &datum).unwrap();
    assert_eq!(set.event, fixed(Stream::Steps));
    let expected =
        json!({"firmware": "35.72", "strap": {"color": "BLUE", "mass_g": 2.5, "tags": {"a": "01ff"}}});
    assert_eq!(Value::Object(set.extra), expected);
    assert_ne!(set.content_hash, unset.content_hash);
}

#[test]
fn an_unknown_field_inside_a_reading_is_kept_at_its_index() {
    let mut schema = schema_of(Stream::HeartRates);
    let samples = &mut fields_of(&mut schema)[6];
    let reading = samples["type"]["items"]["fields"].as_array_mut().unwrap();
    reading.insert(
        1,
        json!({"name": "rr_ms", "type": ["null", "int"], "default": null}),
    );
    let (writer, datum) = written_with(Stream::HeartRates, &schema, |fields| {
        let Some((_, Avro::Array(samples))) = fields.get_mut(6) else {
            panic!("no samples")
        };
        let Avro::Record(second) = &mut samples[1] else {
            panic!("no record")
        };
        second.push(("rr_ms".into(), Avro::Union(1, Box::new(Avro::Int(857)))));
    });
    let decoded = decode(Stream::HeartRates, &writer, &datum).unwrap();
    assert_eq!(decoded.event, fixed(Stream::HeartRates));
    assert_eq!(
        Value::Object(decoded.extra.clone()),
        json!({"samples": {"1": {"rr_ms": 857}}})
    );
    assert_ne!(decoded.content_hash, as_shipped(Stream::HeartRates).content_hash);
}

#[test]
fn the_order_of_fields_and_the_width_of_integers_do_not_matter() {
    for stream in Stream::ALL {
        let mut schema = schema_of(stream);
        // The one type that is named twice is defined where it is met first: that order has to stay.
        if stream != Stream::Sleeps {
            fields_of(&mut schema).reverse();
        }
        let (writer, datum) = written_with(stream, &widened(&schema), |_| ());
        assert_eq!(
            decode(stream, &writer, &datum).unwrap(),
            as_shipped(stream),
            "{stream}"
        );
    }
}

#[test]
fn optional_fields_may_be_missing_and_required_ones_are_named() {
    let mut schema = schema_of(Stream::Users);
    fields_of(&mut schema).retain(|field| field.get("default").is_none());
    let (writer, datum) = written_with(Stream::Users, &schema, |_| ());
    let Event::Users(user) = decode(Stream::Users, &writer, &datum).unwrap().event else {
        panic!("no user")
    };
    assert_eq!((user.email, user.zone, user.devices.len()), (None, None, 2));

    fields_of(&mut schema).retain(|field| field["name"] != "user_id");
    let (writer, datum) = written_with(Stream::Users, &schema, |_| ());
    let refused = decode(Stream::Users, &writer, &datum).unwrap_err();
    assert!(refused.to_string().contains("user_id"), "{refused}");
}

#[test]
fn a_number_that_does_not_fit_is_refused() {
    let (writer, datum) = written_with(Stream::Steps, &widened(&schema_of(Stream::Steps)), |fields| {
        for (name, value) in fields {
            if name == "utc_offset_minutes" {
                *value = Avro::Long(1 << 40);
            }
        }
    });
    let refused = decode(Stream::Steps, &writer, &datum).unwrap_err();
    assert!(refused.to_string().contains("no 32-bit integer"), "{refused}");
}

#[test]
fn a_schema_that_is_none_is_refused() {
    for text in [
        "",
        "{}",
        "\"string\"",
        r#"{"type":"record","name":"Steps","fields":[{"name":"a","type":"Elsewhere"}]}"#,
    ] {
        assert!(WriterSchema::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_schema_that_refers_to_itself_cannot_exhaust_the_stack() {
    let mut schema = schema_of(Stream::Steps);
    fields_of(&mut schema).insert(0, json!({"name": "nest", "type": {"type": "record", "name": "Nest", "fields": [{"name": "next", "type": ["null", "Nest"]}]}}));
    let writer = WriterSchema::parse(&schema.to_string()).unwrap();
    let refused = decode(Stream::Steps, &writer, &[2; 100_000]).unwrap_err();
    assert!(refused.to_string().contains("nested too deeply"), "{refused}");
}

#[test]
fn items_without_bytes_cannot_fill_the_memory() {
    let mut schema = schema_of(Stream::Steps);
    fields_of(&mut schema).insert(
        0,
        json!({"name": "nothings", "type": {"type": "array", "items": "null"}}),
    );
    let writer = WriterSchema::parse(&schema.to_string()).unwrap();
    let announced = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f];
    let refused = decode(Stream::Steps, &writer, &announced).unwrap_err();
    assert!(refused.to_string().contains("items"), "{refused}");
}
