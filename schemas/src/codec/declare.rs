//! The macro that declares a record and derives its codecs.

/// Declares a record: its fields with their types, their names in Avro and, where they differ, in documents.
///
/// `in upload: Upload` puts the envelope in front, flat in Avro and in documents; `or default` makes of a field that a
/// writer does not have its default.
macro_rules! record {
    (
        $(#[$about:meta])*
        $avro:literal $name:ident $(in $envelope:ident: $upload:ty)? {
            $(
                $(#[$doc:meta])*
                $field:ident: $kind:ty = $label:literal $(as $stored:literal)? $(or $fallback:ident)?
            ),* $(,)?
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $(
                /// The envelope.
                pub $envelope: $upload,
            )?
            $($(#[$doc])* pub $field: $kind,)*
        }

        const _: () = {
            #[derive(Default)]
            #[allow(unreachable_pub, reason = "the type of a public record names it")]
            pub struct Partial {
                $($envelope: <$upload as $crate::codec::Record>::Partial,)?
                $($field: Option<$kind>,)*
            }

            #[allow(non_camel_case_types, reason = "the fields' own names, as places in the list")]
            enum At {
                $($field,)*
            }

            impl $crate::codec::Record for $name {
                const NAME: &'static str = $avro;
                const ENVELOPE: &'static [&'static str] = $crate::codec::record!(@envelope $($upload)?);
                const FIELDS: &'static [&'static str] = &[$($label),*];
                type Partial = Partial;

                fn read<'de, A: serde::de::MapAccess<'de>>(
                    partial: &mut Partial,
                    index: usize,
                    fields: &mut A,
                    unknown: &mut $crate::codec::Unknown,
                ) -> Result<(), A::Error> {
                    $(if index < Self::ENVELOPE.len() {
                        return <$upload>::read(&mut partial.$envelope, index, fields, unknown);
                    })?
                    let own = index - Self::ENVELOPE.len();
                    $(if own == At::$field as usize {
                        partial.$field = Some($crate::codec::Field::read(fields, $label, unknown)?);
                    })*
                    Ok(())
                }

                fn make<E: serde::de::Error>(partial: Partial) -> Result<Self, E> {
                    Ok(Self {
                        $($envelope: $crate::codec::Record::make(partial.$envelope)?,)?
                        $($field: $crate::codec::record!(@made partial.$field, $label $(, $fallback)?),)*
                    })
                }

                fn write<S: serde::ser::SerializeStruct>(&self, record: &mut S) -> Result<(), S::Error> {
                    $($crate::codec::Record::write(&self.$envelope, record)?;)?
                    $($crate::codec::Field::write(&self.$field, record, $label)?;)*
                    Ok(())
                }

                fn list<'a>(&'a self, fields: &mut $crate::codec::Fields<'a>) {
                    $($crate::codec::Record::list(&self.$envelope, fields);)?
                    $(fields.push(($label, &self.$field));)*
                }

                fn store(&self, document: &mut bson::RawDocumentBuf) {
                    $($crate::codec::Record::store(&self.$envelope, document);)?
                    $($crate::codec::Field::store(
                        &self.$field,
                        document,
                        $crate::codec::record!(@stored $label $(as $stored)?),
                    );)*
                }
            }
        };
    };
    (@envelope) => { &[] };
    (@envelope $upload:ty) => { <$upload as $crate::codec::Record>::FIELDS };
    (@made $value:expr, $label:literal) => { $crate::codec::required($value, $label)? };
    (@made $value:expr, $label:literal, default) => { $value.unwrap_or_default() };
    (@stored $label:literal) => { bson::raw::cstr!($label) };
    (@stored $label:literal as $stored:literal) => { bson::raw::cstr!($stored) };
}
pub(crate) use record;
