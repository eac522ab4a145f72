//! When calls come over a weekday, by half hours.
//!
//! Computed from the public 6-minute counts of the call centre of a small bank, 250 regular weekdays of 1999 with 1,612
//! calls a day: the data behind Brown, Gans, Mandelbaum, Sakov, Shen, Zeltyn and Zhao, "Statistical Analysis of a
//! Telephone Call Center", JASA 100 (2005) 36–50. Rounded to calls per 100,000 of the day.

/// Calls per 100,000 of a weekday in each half hour, from midnight on. 10:00 to 10:30 is the busiest.
pub const CALLS_PER_100_000: [u32; 48] = [
    203, 128, 77, 51, 34, 29, // 00:00
    20, 12, 16, 14, 22, 51, // 03:00
    95, 289, 1_093, 1_498, 2_313, 3_252, // 06:00
    3_539, 4_263, 4_570, 4_341, 3_970, 3_801, // 09:00
    3_569, 3_409, 3_605, 3_747, 3_919, 3_850, // 12:00
    3_868, 3_892, 3_775, 3_651, 3_028, 2_953, // 15:00
    2_713, 2_412, 2_183, 1_982, 1_725, 2_022, // 18:00
    1_862, 1_991, 1_808, 1_674, 1_556, 1_127, // 21:00
];

/// Rate at an instant of the day as a share of the busiest half hour's; `minutes` since midnight, past 24 h it begins again.
pub fn relative_rate(minutes: f64) -> f64 {
    let busiest = CALLS_PER_100_000.iter().copied().max().unwrap_or(1);
    let slot = (minutes.max(0.0) / 30.0) as usize % CALLS_PER_100_000.len();
    f64::from(CALLS_PER_100_000[slot]) / f64::from(busiest)
}
