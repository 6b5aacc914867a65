//! What the other crates of this project share with this one. It is for them only: no version promises that any of it stays.

pub use crate::clock::{LONGEST_WAIT, later, moved};
pub use crate::error::{ONE_HOUR, answered_text};
pub use crate::excerpt::line;
pub use crate::stored::{Damage, Fields, read as read_stored};
pub use crate::url::at_authority;
