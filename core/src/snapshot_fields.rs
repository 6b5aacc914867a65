//! Reads snapshots field by field. So the snapshot of a newer version is recognized, even if other fields have changed.
//! No error quotes a value, because a value can be a secret.

use alloc::collections::BTreeMap;
use alloc::string::String;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde_json::Value;

/// Why a snapshot can't be used.
pub enum Damage {
    /// A newer version of this library has written it.
    Newer,
    /// The field of this name can't be read.
    In(&'static str),
}

/// The fields of a snapshot.
pub struct Fields(BTreeMap<String, Value>);

impl Fields {
    /// Removes a field and returns its value. A field that is missing or null has the default value.
    ///
    /// # Errors
    /// [`Damage::In`] names the field.
    pub fn take<T: DeserializeOwned + Default>(&mut self, name: &'static str) -> Result<T, Damage> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(T::default()),
            Some(value) => serde_json::from_value(value).map_err(|_| Damage::In(name)),
        }
    }

    fn check_version(&mut self, newest: u32) -> Result<(), Damage> {
        match self.take::<Option<u64>>("version")? {
            Some(version) if version > newest.into() => Err(Damage::Newer),
            Some(_) => Ok(()),
            None => Err(Damage::In("version")),
        }
    }
}

/// Reads a snapshot with the function `read`. `what` names its content in errors. Versions up to `newest` are read.
///
/// # Errors
/// The problem, without any value of the snapshot.
pub fn read<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    what: &str,
    newest: u32,
    read: impl FnOnce(Fields) -> Result<T, Damage>,
) -> Result<T, D::Error> {
    let fields = BTreeMap::deserialize(deserializer)
        .map_err(|_| D::Error::custom(format_args!("the stored {what} is damaged: it can't be read")))?;
    let mut fields = Fields(fields);
    fields.check_version(newest).and_then(|()| read(fields)).map_err(|damage| match damage {
        Damage::Newer => D::Error::custom(format_args!(
            "a newer version of this library has written the {what}: update the program, the {what} is intact"
        )),
        Damage::In(field) => D::Error::custom(format_args!("the stored {what} is damaged in `{field}`")),
    })
}
