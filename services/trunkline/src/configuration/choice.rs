//! Settings that take one of a few words.

/// Declares an enum whose variants are words in the configuration. The words stand once, beside their meaning.
macro_rules! choice {
    (
        $(#[doc = $doc:literal])*
        pub enum $name:ident { $( $(#[doc = $variant_doc:literal])* $variant:ident = $word:literal ),+ $(,)? }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $( $(#[doc = $variant_doc])* $variant ),+ }

        impl $crate::configuration::value::SettingType for $name {
            const WHAT: &'static str = concat!("one of", $( " \"", $word, "\"" ),+);

            fn read(
                item: &$crate::configuration::tree::Item,
            ) -> Result<Self, $crate::configuration::value::Wrong> {
                let word = <String as $crate::configuration::value::SettingType>::read(item)?;
                match word.as_str() {
                    $( $word => Ok(Self::$variant), )+
                    other => Err($crate::configuration::value::Wrong::new(
                        match $crate::configuration::near::nearest(other, [$( $word ),+]) {
                            Some(near) => format!("is unknown; did you mean \"{near}\"?"),
                            None => "is unknown".to_owned(),
                        },
                    )),
                }
            }

            fn shown(&self) -> Option<String> {
                Some($crate::configuration::tree::quoted(match self { $( Self::$variant => $word ),+ }))
            }
        }
    };
}

pub(super) use choice;
