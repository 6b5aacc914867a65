//! The known `error` codes and descriptions of refused OAuth token requests, in lower case.

use super::RefusalKind;

//= R-OAUTH-6
pub(super) const KNOWN: [(&str, RefusalKind); 6] = [
    //= R-OAUTH-7
    ("invalid_grant", RefusalKind::InvalidGrant),
    //= R-OAUTH-8
    ("invalid_token", RefusalKind::InvalidToken),
    //= R-OAUTH-9
    ("do not match existing setup", RefusalKind::ClientMismatch),
    ("invalid_client", RefusalKind::ClientMismatch),
    ("unauthorized_client", RefusalKind::UnauthorizedClient),
    //= R-ENV-7
    ("wrong client_id", RefusalKind::WrongClientId),
];
