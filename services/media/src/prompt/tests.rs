use std::f64::consts::PI;

use super::*;
use crate::audio::ogg::OpusWriter;

/// A tone of 440 Hz.
#[allow(clippy::cast_possible_truncation)]
pub(crate) fn tone(rate: u32, milliseconds: u32) -> Vec<i16> {
    let length = rate / 1000 * milliseconds;
    let sample = |index: u32| 8_000.0 * (2.0 * PI * 440.0 * f64::from(index) / f64::from(rate)).sin();
    (0..length).map(|index| sample(index) as i16).collect()
}

/// A WAV file of that tone.
pub(crate) fn wav(rate: u32, milliseconds: u32) -> Vec<u8> {
    let samples = tone(rate, milliseconds);
    let mut file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    file.extend_from_slice(&rate.to_le_bytes());
    file.extend_from_slice(&(rate * 2).to_le_bytes());
    file.extend_from_slice(b"\x02\0\x10\0data");
    file.extend_from_slice(&u32::try_from(samples.len() * 2).unwrap().to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

/// Strength of a frequency in samples (Goertzel), as a share of all of their energy.
fn share_of(samples: &[i16], rate: u32, frequency: f64) -> f64 {
    let coefficient = 2.0 * (2.0 * PI * frequency / f64::from(rate)).cos();
    let (mut one, mut two, mut energy) = (0.0, 0.0, 0.0);
    for sample in samples {
        let value = f64::from(*sample);
        (one, two) = (value + coefficient * one - two, one);
        energy += value * value;
    }
    let power = one * one + two * two - coefficient * one * two;
    2.0 * power / (energy * samples.len() as f64)
}

fn heard(prompt: &Prompt) -> Vec<i16> {
    let packets = (0..prompt.packets()).map(|index| prompt.packet(index).unwrap());
    if prompt.codec() == Codec::Opus {
        let file = OpusFile {
            channels: 1,
            pre_skip: 0,
            packets: packets.map(|packet| packet.to_vec()).collect(),
        };
        return decoded(&file, LONGEST_MINUTES).unwrap().samples;
    }
    packets
        .flat_map(|packet| {
            packet
                .iter()
                .map(|byte| g711::decoded(prompt.codec(), *byte))
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn a_wav_file_is_heard_in_every_codec() {
    for rate in [8_000, 16_000, 44_100, 48_000] {
        for codec in Codec::PREFERRED {
            let prompt = Prompt::of_file(&wav(rate, 500), codec).unwrap();
            assert!(
                (24..=25).contains(&prompt.packets()),
                "{rate} {codec:?}: {}",
                prompt.packets()
            );
            let samples = heard(&prompt);
            let share = share_of(
                &samples[samples.len() / 4..samples.len() * 3 / 4],
                codec.clock_rate(),
                440.0,
            );
            assert!(share > 0.9, "{rate} {codec:?}: {share}");
        }
    }
}

fn ogg_of(prompt: &Prompt) -> Vec<u8> {
    let (mut writer, mut file) = OpusWriter::begin(1);
    for index in 0..prompt.packets() {
        if !writer.add(&prompt.packet(index).unwrap(), 960) {
            writer.flush(&mut file);
        }
    }
    writer.end(&mut file);
    file
}

#[test]
fn an_ogg_opus_file_is_played_as_it_is_or_decoded() {
    let opus = Prompt::of_file(&wav(48_000, 200), Codec::Opus).unwrap();
    let file = ogg_of(&opus);
    assert_eq!(Prompt::of_file(&file, Codec::Opus).unwrap(), opus);
    let pcmu = Prompt::of_file(&file, Codec::Pcmu).unwrap();
    assert!(share_of(&heard(&pcmu)[400..], 8_000, 440.0) > 0.9);
}

#[test]
fn what_is_no_audio_is_refused() {
    assert!(matches!(
        Prompt::of_file(b"hello", Codec::Opus),
        Err(FileError::Unknown)
    ));
    assert!(matches!(
        Prompt::of_file(b"OggS and no more", Codec::Opus),
        Err(FileError::Broken(_))
    ));
}

#[test]
fn a_library_encodes_once_and_keeps_what_plays() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["one.wav", "two.wav", "three.wav"] {
        let rate = if name == "two.wav" { 8_000 } else { 16_000 };
        let length = if name == "one.wav" { 200 } else { 220 };
        std::fs::write(directory.path().join(name), wav(rate, length)).unwrap();
    }
    let library = Library::new(directory.path().to_owned(), 4_000);
    let playing = library.prompt("one.wav", Codec::Pcmu).unwrap();
    let again = library.prompt("one.wav", Codec::Pcmu).unwrap();
    assert!(Arc::ptr_eq(&playing, &again));
    drop(library.prompt("two.wav", Codec::Pcmu).unwrap());
    drop(library.prompt("three.wav", Codec::Pcmu).unwrap());
    assert!(library.bytes() <= 4_000);
    assert!(Arc::ptr_eq(&playing, &library.prompt("one.wav", Codec::Pcmu).unwrap()));
}

#[test]
fn a_prompt_is_below_its_directory() {
    let library = Library::new("/prompts".into(), 1);
    for name in ["", "../secret.wav", "/etc/passwd", "a/../../b.wav"] {
        assert!(
            matches!(library.prompt(name, Codec::Opus), Err(PromptError::Name)),
            "{name}"
        );
    }
    assert!(matches!(
        library.prompt("missing.wav", Codec::Opus),
        Err(PromptError::Read(..))
    ));
}
