//! Keys, aliases and clocks that change under a signer that is connected.

use kms_signer::ErrorKind::*;

use super::{Expected::Accepted, Make, Row, both, clock, discarded, each, refused};

pub(super) fn rows() -> Vec<Row> {
    vec![
        both("the machine's clock is 20 minutes late", Make::Clock(20 * 60), clock()),
        both("the machine's clock is 20 minutes early", Make::Clock(-20 * 60), clock()),
        both("the key is disabled, until it is enabled again", Make::Disabled, refused(KeyUnusable)),
        both("the key is scheduled for deletion, until that is cancelled", Make::Doomed, refused(KeyUnusable)),
        each(
            "the alias is pointed at another key; connecting expects the address",
            Make::Retargeted { as_given: false },
            refused(AddressMismatch),
            Accepted,
        ),
        each(
            "the same with `as_given`, which sends the alias",
            Make::Retargeted { as_given: true },
            refused(AddressMismatch),
            discarded(KeyChanged),
        ),
    ]
}
