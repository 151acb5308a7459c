//! The cluster as a person sees it, and as a table: three workers, two ingresses and a Redis as processes, with load, and
//! everything that goes wrong one thing at a time.
//!
//! `cargo bench -p trunkline --bench cluster` is a demonstration of about two minutes;
//! `cargo bench -p trunkline --bench cluster -- faults 20` measures each fault twenty times and prints a table, a further word
//! only those faults whose name has it;
//! `cargo bench -p trunkline --bench cluster -- scale` says what an activity costs with 1, 2, 4 and 8 workers;
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
    let number = |default: u32| match arguments.get(1).map(|text| text.parse()) {
        None => Some(default),
        Some(number) => number.ok(),
    };
    match (arguments.first().map(String::as_str), number(20), number(60)) {
        (None | Some("demonstration"), ..) => demonstration::run(),
        (Some("faults"), Some(strikes), _) => table::run(strikes, arguments.get(2).map_or("", String::as_str)),
        (Some("scale"), ..) => scale::run(),
        (Some("soak"), _, Some(minutes)) => soak::run(minutes),
        _ => println!("say demonstration, faults N [NAME], scale, or soak MINUTES"),
    }
}
