//! Items that only the other crates of this project use. They can change in any version.

pub use crate::credentials::{hash_of, login_hash};
pub use crate::environment::url::at_authority;
pub use crate::grant::check_user;
pub use crate::grant::server_clock::{later, shifted};
pub use crate::snapshot_fields::{Damage, Fields, read as read_stored};
pub use crate::wire::endpoint::{read_login, read_oauth, read_renewal};
pub use crate::wire::error::{ONE_HOUR, summary};
pub use crate::wire::excerpt::line;
pub use crate::wire::time_headers::LONGEST_WAIT;
