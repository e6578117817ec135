//! The run folder of a training: what TensorBoard and other programs read from it.

use holoscope::config::{DataConfig, TrainingConfig, TransformerConfig};
use holoscope::data::{Corpus, Dataset};
use holoscope::error::Result;
use holoscope::model::Transformer;
use holoscope::progress::Silent;
use holoscope::train::{Checkpoint, EventWriter, RunFolder, Schedule, TrainingHistory, train_with};
use std::path::Path;

/// What a reader finds in one `Event` record.
#[derive(Debug, Default, Clone, PartialEq)]
struct Event {
    wall_time: f64,
    step: u64,
    file_version: Option<String>,
    tag: String,
    value: Option<f32>,
    session_status: Option<u64>,
}

/// One protobuf field: its number and its value, as bytes (little endian for numbers).
fn fields(mut data: &[u8]) -> Vec<(u64, Vec<u8>)> {
    fn varint(data: &mut &[u8]) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = data[0];
            *data = &data[1..];
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return value;
            }
        }
    }
    let mut out = Vec::new();
    while !data.is_empty() {
        let key = varint(&mut data);
        let value = match key & 7 {
            0 => varint(&mut data).to_le_bytes().to_vec(),
            wire => {
                let n = match wire {
                    1 => 8,
                    2 => varint(&mut data) as usize,
                    5 => 4,
                    _ => panic!("wire type {wire}"),
                };
                let (value, rest) = data.split_at(n);
                data = rest;
                value.to_vec()
            }
        };
        out.push((key >> 3, value));
    }
    out
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().unwrap())
}

fn event(data: &[u8]) -> Event {
    let mut event = Event::default();
    for (field, value) in fields(data) {
        match field {
            1 => event.wall_time = f64::from_bits(number(&value)),
            2 => event.step = number(&value),
            3 => event.file_version = Some(String::from_utf8(value).unwrap()),
            5 => {
                let [(1, value)] = &fields(&value)[..] else {
                    panic!("a summary of one value was expected");
                };
                for (field, value) in fields(value) {
                    match field {
                        1 => event.tag = String::from_utf8(value).unwrap(),
                        2 => event.value = Some(f32::from_le_bytes(value.try_into().unwrap())),
                        other => panic!("value field {other}"),
                    }
                }
            }
            7 => event.session_status = Some(number(&fields(&value)[0].1)),
            other => panic!("event field {other}"),
        }
    }
    event
}

/// CRC-32C bit by bit (polynomial 0x1EDC6F41, reflected), then masked as TFRecord asks.
fn masked_crc(data: &[u8]) -> u32 {
    let mut crc = !0u32;
    for &byte in data {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0x82f6_3b78
            } else {
                crc >> 1
            };
        }
    }
    let crc = !crc;
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Every event of a file, its checksums verified.
fn read_events(path: &Path) -> Vec<Event> {
    let data = std::fs::read(path).unwrap();
    let word = |at: usize| u32::from_le_bytes(data[at..at + 4].try_into().unwrap());
    let (mut at, mut events) = (0, Vec::new());
    while at < data.len() {
        let length = number(&data[at..at + 8]) as usize;
        assert_eq!(word(at + 8), masked_crc(&data[at..at + 8]));
        let record = &data[at + 12..at + 12 + length];
        assert_eq!(word(at + 12 + length), masked_crc(record));
        events.push(event(record));
        at += length + 16;
    }
    events
}

fn event_files(dir: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
    entries
        .filter(|p| {
            p.file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("events.out.tfevents.")
        })
        .collect()
}

#[test]
fn scalars_come_back_from_an_event_file() -> Result<()> {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = EventWriter::create(dir.path(), Some(41))?;
    let points = [
        ("loss/train", 41, 5.125),
        ("über", 300, -0.0),
        ("big", 1 << 40, 3e38),
    ];
    for (tag, step, value) in points {
        writer.scalar(tag, step, value)?;
    }
    let events = read_events(writer.path());
    assert_eq!(events[0].file_version.as_deref(), Some("brain.Event:2"));
    // SessionStatus START = 1 at step 41: readers drop what other files say from there on.
    assert_eq!((events[1].session_status, events[1].step), (Some(1), 41));
    for (event, (tag, step, value)) in events[2..].iter().zip(points) {
        assert_eq!((event.tag.as_str(), event.step), (tag, step as u64));
        assert_eq!(event.value, Some(value as f32));
        assert!(event.wall_time > 1.7e9);
    }
    assert_eq!(events.len(), 5);
    Ok(())
}

#[test]
fn a_run_leaves_a_folder_that_says_everything() -> Result<()> {
    let text: String = (0..120)
        .map(|i| format!("A:\nline {} of it\n\n", i % 9))
        .collect();
    let data = Dataset::from_corpus(&Corpus::from_text("lines", &text), &DataConfig::default())?;
    let model = Transformer::new(&TransformerConfig {
        d_model: 8,
        n_heads: 2,
        d_mlp: 16,
        n_ctx: 12,
        d_vocab: data.tokenizer.n_vocab(),
        ..TransformerConfig::default()
    })?;
    let dir = tempfile::tempdir().unwrap();
    let cfg = TrainingConfig {
        steps: 6,
        batch_size: 3,
        warmup_steps: 2,
        eval_every: 4,
        run_dir: Some(dir.path().to_owned()),
        ..TrainingConfig::default()
    };
    let history = train_with(&model, &data, &cfg, &mut Silent)?;

    let config: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(dir.path().join("config.json")).unwrap())?;
    assert_eq!(config["data"]["sha256"], data.digest.as_str());
    let training: TrainingConfig = serde_json::from_value(config["training"].clone())?;
    assert_eq!(training, cfg);
    let architecture: TransformerConfig = serde_json::from_value(config["model"].clone())?;
    assert_eq!(&architecture, model.cfg());

    let metrics = RunFolder::metrics(dir.path())?;
    let train_loss: Vec<_> = metrics
        .iter()
        .filter_map(|m| Some((m.step, m.loss?)))
        .collect();
    let val_loss: Vec<_> = metrics
        .iter()
        .filter_map(|m| Some((m.step, m.val_loss?)))
        .collect();
    assert_eq!(
        (train_loss, val_loss),
        (history.train_loss.clone(), history.val_loss.clone())
    );
    let rates: Vec<_> = metrics.iter().filter_map(|m| m.lr).collect();
    let schedule = Schedule::new(&cfg);
    assert_eq!(rates, (1..=6).map(|t| schedule.lr(t)).collect::<Vec<_>>());

    let files = event_files(dir.path());
    assert_eq!(files.len(), 1);
    let curve = |tag: &str| -> Vec<(usize, f32)> {
        let events = read_events(&files[0]).into_iter().filter(|e| e.tag == tag);
        events
            .map(|e| (e.step as usize, e.value.unwrap()))
            .collect()
    };
    let as_f32 = |points: &[(usize, f64)]| -> Vec<(usize, f32)> {
        points
            .iter()
            .map(|&(step, loss)| (step, loss as f32))
            .collect()
    };
    assert_eq!(curve("loss/train"), as_f32(&history.train_loss));
    assert_eq!(curve("loss/validation"), as_f32(&history.val_loss));
    assert_eq!(curve("optimiser/lr").len(), 6);

    let last = Checkpoint::load(&RunFolder::last(dir.path()), model.device())?;
    let best = Checkpoint::load(&RunFolder::best(dir.path()), model.device())?;
    assert_eq!((last.step, best.step), (6, history.best_step));
    assert!(last.optimizer.is_some() && best.optimizer.is_none());
    assert_eq!(best.params.len(), model.named_parameters().len());
    let stored: TrainingHistory = last.history;
    assert_eq!(stored.val_loss, history.val_loss);

    // Either file is a model as well.
    let opened = Transformer::load(RunFolder::best(dir.path()))?;
    assert_eq!(opened.cfg(), model.cfg());
    let tokens = data.val.sequences(1, 12, model.device())?;
    let loss = |m: &Transformer| -> Result<f32> { Ok(m.loss(&tokens)?.to_scalar()?) };
    assert_eq!(loss(&opened)?, loss(&model)?);
    Transformer::load(RunFolder::last(dir.path()))?;
    Ok(())
}
