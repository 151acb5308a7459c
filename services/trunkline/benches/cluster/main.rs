//! The cluster as a person sees it, and as a table: three workers, two ingresses and a Redis as processes, with load, and
//! everything that goes wrong one thing at a time.
//!
//! `cargo bench -p trunkline --bench cluster` is a demonstration of about two minutes;
//! `cargo bench -p trunkline --bench cluster -- faults 20` measures each fault twenty times and prints a table, a further word
//! only those faults whose name has it;
//! `cargo bench -p trunkline --bench cluster -- scale 100 3` says what an activity costs with 1, 2, 4 and 8 workers at 100 a second
//! for each, in three rounds;
//! `cargo bench -p trunkline --bench cluster -- soak 60` lets faults strike at random for sixty minutes and judges.
#![allow(clippy::print_stdout, reason = "a demonstration reports to people")]
#![allow(clippy::unwrap_used, reason = "a demonstration ends where its world fails")]

mod demonstration;
mod scale;
mod setting;
mod soak;
mod table;

fn main() {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let number = |place: usize, default: u32| match arguments.get(place).map(|text| text.parse()) {
        None => Some(default),
        Some(number) => number.ok(),
    };
    let mode = arguments.first().map_or("demonstration", String::as_str);
    let done = match mode {
        "demonstration" => {
            demonstration::run();
            Some(())
        }
        "faults" => number(1, 20).map(|strikes| table::run(strikes, arguments.get(2).map_or("", String::as_str))),
        "scale" => number(1, 100)
            .zip(number(2, 1))
            .map(|(each, rounds)| scale::run(each, rounds)),
        "soak" => number(1, 60).map(soak::run),
        _ => None,
    };
    if done.is_none() {
        println!("say demonstration, faults N [NAME], scale [EACH [ROUNDS]], or soak MINUTES");
    }
}
