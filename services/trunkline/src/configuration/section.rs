//! Declares the settings of a section once: type, default, example and documentation stand together, and the struct, the
//! reading, `config explain`, `config show`, the annotated example and the messages all come from there.

use super::read::SectionReader;

/// One setting, for people.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its key in the section.
    pub name: &'static str,
    /// Its documentation, line by line.
    pub doc: &'static [&'static str],
    /// What to write.
    pub what: &'static str,
    /// What holds when nobody writes it, in TOML.
    pub default: Option<&'static str>,
    /// What somebody might write, in TOML.
    pub example: Option<&'static str>,
    /// May be left out although it has no default.
    pub optional: bool,
    /// Its value is never shown.
    pub secret: bool,
}

/// A group of settings.
pub(super) trait Section: Sized {
    /// What the group is for, line by line.
    const DOC: &'static [&'static str];
    /// The settings, in the order of the example file.
    const SETTINGS: &'static [Setting];

    /// Reads all settings. `None` when at least one of them is wrong; the reader has the problems then.
    fn read(reader: &mut SectionReader<'_>) -> Option<Self>;

    /// Name and value of each setting, in TOML; `None` for what is not set. Secrets are dots.
    fn shown(&self) -> Vec<(&'static str, Option<String>)>;
}

/// Declares a section:
/// `field: Type = default => example`. Both parts may be missing; a type that is neither optional nor has a default is
/// demanded.
macro_rules! section {
    (
        $(#[doc = $doc:literal])*
        pub struct $name:ident {
            $(
                $(#[doc = $field_doc:literal])*
                pub $field:ident: $type:ty $(= $default:expr)? $(=> $example:expr)?
            ),+ $(,)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug)]
        pub struct $name {
            $( $(#[doc = $field_doc])* pub $field: $type, )+
        }

        impl $crate::configuration::section::Section for $name {
            const DOC: &'static [&'static str] = &[$($doc),*];
            const SETTINGS: &'static [$crate::configuration::section::Setting] = &[
                $( $crate::configuration::section::Setting {
                    name: stringify!($field),
                    doc: &[$($field_doc),*],
                    what: <$type as $crate::configuration::value::SettingType>::WHAT,
                    default: $crate::configuration::section::toml_text!($($default)?),
                    example: $crate::configuration::section::toml_text!($($example)?),
                    optional: <$type as $crate::configuration::value::SettingType>::OPTIONAL,
                    secret: <$type as $crate::configuration::value::SettingType>::SECRET,
                } ),+
            ];

            fn read(reader: &mut $crate::configuration::read::SectionReader<'_>) -> Option<Self> {
                $( let $field = reader.setting::<$type>(stringify!($field)); )+
                Some(Self { $( $field: $field? ),+ })
            }

            fn shown(&self) -> Vec<(&'static str, Option<String>)> {
                vec![$( (
                    stringify!($field),
                    $crate::configuration::value::SettingType::shown(&self.$field),
                ) ),+]
            }
        }
    };
}

/// The TOML text of a default or an example: literals and lists are written alike in Rust and in TOML.
macro_rules! toml_text {
    () => {
        None
    };
    ($value:expr) => {
        Some(stringify!($value))
    };
}

pub(super) use {section, toml_text};
