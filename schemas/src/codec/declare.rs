//! The declaration of a record, from which everything else about it follows.

/// Declares a record: its fields with their types, their names in Avro and, where they differ, in documents.
///
/// `in upload` puts the envelope in front, flat in Avro and in documents.
macro_rules! record {
    (
        $(#[$about:meta])*
        $avro:literal $name:ident {
            $($(#[$doc:meta])* $field:ident: $kind:ty = $label:literal $(as $stored:literal)?),* $(,)?
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $($(#[$doc])* pub $field: $kind,)*
        }

        const _: () = {
            #[derive(Default)]
            #[allow(unreachable_pub, reason = "the type of a public record names it")]
            pub struct Partial {
                $($field: Option<$kind>,)*
            }

            #[allow(non_camel_case_types, reason = "the fields' own names, as places in the list")]
            enum At {
                $($field,)*
            }

            impl $crate::codec::Record for $name {
                const NAME: &'static str = $avro;
                const FIELDS: &'static [&'static str] = &[$($label),*];
                type Partial = Partial;

                fn read<'de, A: serde::de::MapAccess<'de>>(
                    partial: &mut Partial,
                    index: usize,
                    fields: &mut A,
                    unknown: &mut $crate::codec::Unknown,
                ) -> Result<(), A::Error> {
                    $(if index == At::$field as usize {
                        partial.$field = Some($crate::codec::Field::read(fields, $label, unknown)?);
                    })*
                    Ok(())
                }

                fn make<E: serde::de::Error>(partial: Partial) -> Result<Self, E> {
                    Ok(Self {
                        $($field: $crate::codec::required(partial.$field, $label)?,)*
                    })
                }

                fn write<S: serde::ser::SerializeStruct>(&self, record: &mut S) -> Result<(), S::Error> {
                    $($crate::codec::Field::write(&self.$field, record, $label)?;)*
                    Ok(())
                }

                fn list<'a>(&'a self, fields: &mut $crate::codec::Fields<'a>) {
                    $(fields.push(($label, &self.$field));)*
                }

                fn store(&self, document: &mut bson::RawDocumentBuf) {
                    $($crate::codec::Field::store(
                        &self.$field,
                        document,
                        $crate::codec::record!(@stored $label $(as $stored)?),
                    );)*
                }
            }
        };
    };
    (
        $(#[$about:meta])*
        $avro:literal $name:ident in upload {
            $($(#[$doc:meta])* $field:ident: $kind:ty = $label:literal $(as $stored:literal)?),* $(,)?
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            /// The envelope.
            pub upload: $crate::streams::Upload,
            $($(#[$doc])* pub $field: $kind,)*
        }

        const _: () = {
            use $crate::streams::Upload;

            #[derive(Default)]
            #[allow(unreachable_pub, reason = "the type of a public record names it")]
            pub struct Partial {
                upload: <Upload as $crate::codec::Record>::Partial,
                $($field: Option<$kind>,)*
            }

            #[allow(non_camel_case_types, reason = "the fields' own names, as places in the list")]
            enum At {
                $($field,)*
            }

            impl $crate::codec::Record for $name {
                const NAME: &'static str = $avro;
                const FIELDS: &'static [&'static str] = &[
                    "event_id", "device_id", "synced_at", "utc_offset_minutes", "window_start", "window_end",
                    $($label),*
                ];
                type Partial = Partial;

                fn read<'de, A: serde::de::MapAccess<'de>>(
                    partial: &mut Partial,
                    index: usize,
                    fields: &mut A,
                    unknown: &mut $crate::codec::Unknown,
                ) -> Result<(), A::Error> {
                    let Some(own) = index.checked_sub(Upload::FIELDS.len()) else {
                        return Upload::read(&mut partial.upload, index, fields, unknown);
                    };
                    $(if own == At::$field as usize {
                        partial.$field = Some($crate::codec::Field::read(fields, $label, unknown)?);
                    })*
                    Ok(())
                }

                fn make<E: serde::de::Error>(partial: Partial) -> Result<Self, E> {
                    Ok(Self {
                        upload: Upload::make(partial.upload)?,
                        $($field: $crate::codec::required(partial.$field, $label)?,)*
                    })
                }

                fn write<S: serde::ser::SerializeStruct>(&self, record: &mut S) -> Result<(), S::Error> {
                    self.upload.write(record)?;
                    $($crate::codec::Field::write(&self.$field, record, $label)?;)*
                    Ok(())
                }

                fn list<'a>(&'a self, fields: &mut $crate::codec::Fields<'a>) {
                    self.upload.list(fields);
                    $(fields.push(($label, &self.$field));)*
                }

                fn store(&self, document: &mut bson::RawDocumentBuf) {
                    self.upload.store(document);
                    $($crate::codec::Field::store(
                        &self.$field,
                        document,
                        $crate::codec::record!(@stored $label $(as $stored)?),
                    );)*
                }
            }
        };
    };
    (@stored $label:literal) => { bson::raw::cstr!($label) };
    (@stored $label:literal as $stored:literal) => { bson::raw::cstr!($stored) };
}
pub(crate) use record;
