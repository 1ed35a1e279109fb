//! Tables of multiples, for keys that verify often: u·G + v·Q with additions only.
//!
//! The generator's table is the process's; a key's is made when it has verified a few times, by whoever comes then. Nobody waits
//! for a table: while one is made, and where there is none, the caller is told to do without.

use std::sync::{
    OnceLock,
    atomic::{
        AtomicBool, AtomicU32, AtomicUsize,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use k256::{ProjectivePoint, Scalar};

use super::{jacobian::Jacobian, window::Table};

/// In bits. The generator's table has 328 KB, a key's 110 KB; it is made in about 1 ms.
const GENERATOR_WINDOW: usize = 8;
const KEY_WINDOW: usize = 6;
/// So many times a key verifies before its table is made: more often than it takes to pay.
const USES_BEFORE: u32 = 32;
/// So many keys have a table at a time; the others do without. It bounds the memory at 29 MB.
const MOST: usize = 256;

static GENERATOR: OnceLock<Option<Table>> = OnceLock::new();
static KEYS: AtomicUsize = AtomicUsize::new(0);
static IS_BUSY: AtomicBool = AtomicBool::new(false);

/// A key's table, once it has one.
#[derive(Default)]
pub(super) struct KeyTable {
    uses: AtomicU32,
    table: OnceLock<Counted>,
}

impl KeyTable {
    /// u·G + v·Q for the key Q. None if there is no table, or the sum needs another addition than tables can do.
    pub(super) fn combine(&self, key: impl Fn() -> ProjectivePoint, u: &Scalar, v: &Scalar) -> Option<Jacobian> {
        let (Some(table), Some(Some(generator))) = (self.table.get(), GENERATOR.get()) else {
            self.make_when_due(key);
            return None;
        };
        let sum = generator.add_multiple(u, None)?;
        table.0.add_multiple(v, sum)?
    }

    fn make_when_due(&self, key: impl Fn() -> ProjectivePoint) {
        if self.uses.fetch_add(1, Relaxed) < USES_BEFORE || KEYS.load(Relaxed) >= MOST {
            return;
        }
        if IS_BUSY.compare_exchange(false, true, Acquire, Relaxed).is_err() {
            return;
        }
        // Asked again now that nobody else makes one: since then, another may have made this one, or the last there is room for.
        if KEYS.load(Relaxed) < MOST && self.table.get().is_none() {
            GENERATOR.get_or_init(|| Table::new(&ProjectivePoint::GENERATOR, GENERATOR_WINDOW));
            if let Some(table) = Table::new(&key(), KEY_WINDOW) {
                let _ = self.table.set(Counted::new(table));
            }
        }
        IS_BUSY.store(false, Release);
    }
}

/// A table that is counted while it lives.
struct Counted(Table);

impl Counted {
    fn new(table: Table) -> Self {
        KEYS.fetch_add(1, Relaxed);
        Self(table)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        KEYS.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Mutex, MutexGuard, PoisonError, mpsc},
        thread,
        time::Duration,
    };

    use k256::{
        AffinePoint, FieldElement,
        elliptic_curve::{
            Field,
            ops::{LinearCombination, Reduce},
            point::AffineCoordinates,
        },
    };
    use rand_core::{OsRng, RngCore};

    use super::*;

    /// So many random sums in the ordinary run; a million with `KMS_SIGNER_LONG=1`.
    fn rounds() -> u32 {
        if std::env::var_os("KMS_SIGNER_LONG").is_some() { 1_000_000 } else { 10_000 }
    }

    fn random() -> Scalar {
        let mut bytes = [0; 32];
        OsRng.fill_bytes(&mut bytes);
        <Scalar as Reduce<k256::U256>>::reduce_bytes(&bytes.into())
    }

    /// Numbers at which digits carry, end or vanish.
    fn edges() -> Vec<Scalar> {
        let half = Scalar::from(2u64).invert().unwrap();
        let mut edges = vec![Scalar::ZERO, Scalar::ONE, -Scalar::ONE, half, -half];
        for shift in [5, 6, 7, 8, 63, 64, 127, 128, 251, 252, 254, 255] {
            let power = Scalar::from(2u64).pow_vartime([shift]);
            edges.extend([power, power - Scalar::ONE, -power, Scalar::ONE - power]);
        }
        // Digits of half a window, which become negative, and of one less, which do not.
        for byte in [0x1f, 0x20, 0x21, 0x7f, 0x80, 0x81, 0xff] {
            edges.push(<Scalar as Reduce<k256::U256>>::reduce_bytes(&[byte; 32].into()));
        }
        edges
    }

    /// Whether there was an answer; if so, it was right.
    fn agree(generator: &Table, table: &Table, key: &ProjectivePoint, u: &Scalar, v: &Scalar) -> bool {
        let expected = ProjectivePoint::lincomb(&ProjectivePoint::GENERATOR, u, key, v).to_affine();
        let sum = generator.add_multiple(u, None).and_then(|sum| table.add_multiple(v, sum)).flatten();
        let Some(sum) = sum else { return false };
        assert_ne!(expected, AffinePoint::IDENTITY);
        let x = FieldElement::from_bytes(&expected.x()).unwrap();
        assert_eq!(sum.y_is_odd_at(&x), Some(bool::from(expected.y_is_odd())), "u {u:?}, v {v:?}");
        assert_eq!(sum.y_is_odd_at(&(x + FieldElement::ONE)), None, "u {u:?}, v {v:?}");
        true
    }

    #[test]
    fn sums_are_those_of_k256() {
        let generator = Table::new(&ProjectivePoint::GENERATOR, GENERATOR_WINDOW).unwrap();
        for _ in 0..rounds() / 2_500 {
            let key = ProjectivePoint::GENERATOR * random();
            let table = Table::new(&key, KEY_WINDOW).unwrap();
            for _ in 0..2_500 {
                assert!(agree(&generator, &table, &key, &random(), &random()));
            }
        }
    }

    /// The same and opposite points on both sides, and none at all, are left to other formulas: whatever is said is true.
    #[test]
    fn at_the_edges_too() {
        let generator = Table::new(&ProjectivePoint::GENERATOR, GENERATOR_WINDOW).unwrap();
        let two = Scalar::from(2u64);
        let mut answered = 0;
        for secret in [Scalar::ONE, -Scalar::ONE, two, -two, two.pow_vartime([6]), two.pow_vartime([8]), random()] {
            let key = ProjectivePoint::GENERATOR * secret;
            let table = Table::new(&key, KEY_WINDOW).unwrap();
            for u in edges() {
                for v in edges() {
                    answered += u32::from(agree(&generator, &table, &key, &u, &v));
                }
            }
        }
        assert!(answered > 20_000, "{answered}");
    }

    #[test]
    fn every_window_size_gives_the_same() {
        let key = ProjectivePoint::GENERATOR * random();
        for window in 2..=9 {
            let (generator, table) =
                (Table::new(&ProjectivePoint::GENERATOR, window).unwrap(), Table::new(&key, window).unwrap());
            for v in edges() {
                assert!(agree(&generator, &table, &key, &random(), &v));
            }
        }
    }

    #[test]
    fn the_point_at_infinity_has_no_table() {
        assert!(Table::new(&ProjectivePoint::IDENTITY, KEY_WINDOW).is_none());
    }

    /// The tests that make keys' tables do so one after another, as the process counts them.
    fn alone() -> MutexGuard<'static, ()> {
        static LOCK: Mutex<()> = Mutex::new(());
        LOCK.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks until there is an answer: no table is made for one key while one is made for another.
    fn warm(table: &KeyTable, key: impl Fn() -> ProjectivePoint) -> bool {
        let (u, v) = (random(), random());
        (0..5_000).any(|_| {
            let is_warm = table.combine(&key, &u, &v).is_some();
            if !is_warm && table.uses.load(Relaxed) > USES_BEFORE {
                thread::sleep(Duration::from_millis(1));
            }
            is_warm
        })
    }

    #[test]
    fn a_table_is_made_once_and_not_at_first() {
        let _alone = alone();
        let point = ProjectivePoint::GENERATOR * random();
        let (table, made) = (KeyTable::default(), AtomicU32::new(0));
        let key = || {
            made.fetch_add(1, Relaxed);
            point
        };
        for _ in 0..USES_BEFORE {
            assert!(table.combine(key, &random(), &random()).is_none());
        }
        assert_eq!(made.load(Relaxed), 0);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert!(warm(&table, key)));
            }
        });
        // A caller that found no table, and then was slow.
        table.make_when_due(key);
        assert_eq!(made.load(Relaxed), 1);
    }

    #[test]
    fn nobody_waits_for_a_table() {
        let _alone = alone();
        let (point, slow) = (ProjectivePoint::GENERATOR * random(), KeyTable::default());
        let (begun, begins) = mpsc::channel();
        let (ends, ended) = mpsc::channel::<()>();
        thread::scope(|scope| {
            let slow = &slow;
            scope.spawn(move || {
                let key = || {
                    begun.send(()).unwrap();
                    ended.recv_timeout(Duration::from_secs(60)).expect("the others have not answered");
                    point
                };
                assert!(warm(slow, key));
            });
            begins.recv().unwrap();
            let others = KeyTable::default();
            for table in [slow, &others] {
                for _ in 0..2 * USES_BEFORE {
                    assert!(table.combine(|| unreachable!("a second is made"), &random(), &random()).is_none());
                }
            }
            ends.send(()).unwrap();
        });
    }

    /// Another test of the library may have a table meanwhile, or drop one.
    #[test]
    fn the_number_of_tables_is_bounded_and_a_dropped_key_makes_room() {
        let _alone = alone();
        let point = ProjectivePoint::GENERATOR * random();
        let (u, v) = (random(), random());
        let fill = || {
            let tables: Vec<_> = (0..MOST / 3).map(|_| KeyTable::default()).collect();
            for table in &tables {
                let mut uses = 0;
                while table.table.get().is_none() && (uses < 2 * USES_BEFORE || KEYS.load(Relaxed) < MOST) {
                    table.combine(|| point, &u, &v);
                    assert!(KEYS.load(Relaxed) <= MOST);
                    uses += 1;
                }
            }
            tables
        };
        let tables: Vec<_> = thread::scope(|scope| {
            let fillers = [(); 4].map(|()| scope.spawn(fill));
            fillers.into_iter().flat_map(|filler| filler.join().unwrap()).collect()
        });
        let (mut with, without): (Vec<_>, Vec<_>) = tables.into_iter().partition(|table| table.table.get().is_some());
        assert!((MOST - 8..=MOST).contains(&with.len()), "{} of {}", with.len(), with.len() + without.len());
        with.truncate(MOST / 2);
        assert!(warm(&without[0], || point));
    }
}
