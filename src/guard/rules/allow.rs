//! Lists of what is allowed.

use core::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{self, SeqAccess, Visitor, value::SeqAccessDeserializer},
};

/// What a rule allows of one thing: what is listed, or anything. In rules, a list or the word `"any"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allow<T> {
    /// Anything. Where the thing may be absent, that too.
    Any,
    /// What is listed, and nothing else.
    Only(Vec<T>),
}

impl<T> Allow<T> {
    pub(super) fn is_nothing(&self) -> bool {
        matches!(self, Self::Only(list) if list.is_empty())
    }

    pub(in crate::guard) fn has<Q: ?Sized>(&self, item: &Q) -> bool
    where
        T: PartialEq<Q>,
    {
        match self {
            Self::Any => true,
            Self::Only(list) => list.iter().any(|listed| listed == item),
        }
    }

    /// Whether what may be absent is allowed: by `Any` only, where it is.
    pub(super) fn has_some<Q: ?Sized>(&self, item: Option<&Q>) -> bool
    where
        T: PartialEq<Q>,
    {
        match item {
            Some(item) => self.has(item),
            None => matches!(self, Self::Any),
        }
    }
}

/// Nothing.
impl<T> Default for Allow<T> {
    fn default() -> Self {
        Self::Only(Vec::new())
    }
}

impl<T, I: Into<T>, const N: usize> From<[I; N]> for Allow<T> {
    fn from(list: [I; N]) -> Self {
        Self::Only(list.into_iter().map(Into::into).collect())
    }
}

impl<T> From<Vec<T>> for Allow<T> {
    fn from(list: Vec<T>) -> Self {
        Self::Only(list)
    }
}

/// What is allowed, in an error's words.
impl<T: fmt::Display> fmt::Display for Allow<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 5;
        match self {
            Self::Any => f.write_str("anything"),
            Self::Only(list) if list.is_empty() => f.write_str("nothing"),
            Self::Only(list) => {
                for (index, item) in list.iter().take(SHOWN).enumerate() {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    item.fmt(f)?;
                }
                match list.len().saturating_sub(SHOWN) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Allow<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyOrList<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for AnyOrList<T> {
            type Value = Allow<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#"a list, or "any""#)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Allow<T>, E> {
                match text {
                    "any" => Ok(Allow::Any),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Allow<T>, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Allow::Only)
            }
        }

        deserializer.deserialize_any(AnyOrList(PhantomData))
    }
}
