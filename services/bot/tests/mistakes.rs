//! What the compiler says to the likely mistakes of authors. The files beside it hold one mistake each; `TRYBUILD=overwrite` in
//! the environment writes the messages anew, which is due when the compiler words them in another way.

#[test]
fn the_compiler_names_what_is_wrong() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/mistakes/*.rs");
}
