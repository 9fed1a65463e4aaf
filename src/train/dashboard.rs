//! A training to watch on a terminal: loss, validation, time left, drawn in place; what was printed
//! before stays above. It takes no keys: Ctrl-C ends the training as ever.

use std::collections::VecDeque;
use std::io::{self, Stderr};
use std::time::{Duration, Instant};

use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::text::Line;
use ratatui::widgets::{Axis, Block, Chart, Dataset, Gauge, GraphType, Paragraph, Widget};
use ratatui::{Frame, Terminal, TerminalOptions, Viewport};

/// Lines of the terminal it takes.
const HEIGHT: u16 = 18;
/// Between two drawings.
const EVERY: Duration = Duration::from_millis(500);
/// Steps over which the drawn loss is averaged; single batches jump.
const SMOOTH: usize = 20;
/// Most points of the loss; older ones are thinned to every second.
const POINTS: usize = 400;

/// What is known of a training.
struct State {
    /// Steps in all, and done.
    total: u64,
    done: u64,
    epoch: usize,
    latest: VecDeque<f32>,
    /// Steps done and loss averaged.
    loss: Vec<(f64, f64)>,
    /// Steps between two points of `loss`.
    stride: u64,
    /// Steps done and loss on the validation side.
    validation: Vec<(f64, f64)>,
    /// Figures of the epoch judged last.
    judged: Vec<(String, f64)>,
}

/// The picture on stderr's terminal.
pub struct Dashboard {
    terminal: Terminal<CrosstermBackend<Stderr>>,
    state: State,
    start: Instant,
    drawn: Option<Instant>,
}

impl Dashboard {
    /// For a training of so many steps. An error where stderr is no terminal that can be drawn on.
    pub fn new(total: u64) -> io::Result<Self> {
        let options = TerminalOptions { viewport: Viewport::Inline(HEIGHT) };
        let (columns, rows) = ratatui::crossterm::terminal::size()?;
        if columns == 0 || rows == 0 {
            return Err(io::Error::other("the terminal does not say how large it is"));
        }
        let terminal = Terminal::with_options(CrosstermBackend::new(io::stderr()), options)?;
        Ok(Self { terminal, state: State::new(total), start: Instant::now(), drawn: None })
    }

    /// One more step, with its loss.
    pub fn step(&mut self, epoch: usize, loss: f32) {
        self.state.step(epoch, loss);
        if self.drawn.is_none_or(|drawn| drawn.elapsed() >= EVERY) {
            self.draw();
        }
    }

    /// An epoch was judged; `text` stays above the picture.
    pub fn judged(&mut self, text: &str, figures: &[(&str, f64)]) {
        self.state.judged(figures);
        self.say(text);
    }

    /// Something that stays above the picture.
    pub fn say(&mut self, text: &str) {
        let lines: Vec<Line> = text.lines().map(Line::from).collect();
        let above = |area: &mut ratatui::buffer::Buffer| {
            Paragraph::new(lines.clone()).render(area.area, area);
        };
        if let Err(error) = self.terminal.insert_before(lines.len() as u16, above) {
            log::warn!("dashboard: {error}");
        }
        self.draw();
    }

    fn draw(&mut self) {
        self.drawn = Some(Instant::now());
        let (state, seconds) = (&self.state, self.start.elapsed().as_secs_f64());
        let drawn = self.terminal.draw(|frame| state.render(seconds, frame)).map(|_| ());
        // Drawing hides the cursor, and Ctrl-C leaves no time to show it again.
        if let Err(error) = drawn.and_then(|()| self.terminal.show_cursor()) {
            log::warn!("dashboard: {error}");
        }
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        self.draw();
        // The prompt goes below the picture.
        note!("");
    }
}

impl State {
    fn new(total: u64) -> Self {
        Self {
            total,
            done: 0,
            epoch: 1,
            latest: VecDeque::with_capacity(SMOOTH),
            loss: vec![],
            stride: 1,
            validation: vec![],
            judged: vec![],
        }
    }

    fn step(&mut self, epoch: usize, loss: f32) {
        self.done += 1;
        self.epoch = epoch;
        if self.latest.len() == SMOOTH {
            self.latest.pop_front();
        }
        self.latest.push_back(loss);
        if self.done.is_multiple_of(self.stride) {
            let mean = self.latest.iter().sum::<f32>() / self.latest.len() as f32;
            self.loss.push((self.done as f64, f64::from(mean)));
        }
        if self.loss.len() > POINTS {
            let mut at = 0;
            self.loss.retain(|_| {
                at += 1;
                at % 2 == 0
            });
            self.stride *= 2;
        }
    }

    fn judged(&mut self, figures: &[(&str, f64)]) {
        for (name, value) in figures {
            if *name == "validation loss" {
                self.validation.push((self.done as f64, *value));
            }
        }
        self.judged = figures.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    }

    fn render(&self, seconds: f64, frame: &mut Frame) {
        let rows =
            Layout::vertical([Constraint::Min(6), Constraint::Length(1), Constraint::Length(1)]);
        let [chart, figures, gauge] = rows.areas(frame.area());
        self.chart(chart, frame);
        let told = self.judged.iter().map(|(name, value)| format!("{name} {value:.4}"));
        let told = told.collect::<Vec<_>>().join("   ");
        frame.render_widget(Paragraph::new(told), figures);
        let share = (self.done as f64 / self.total.max(1) as f64).min(1.0);
        let left = match self.done {
            0 => String::new(),
            _ => format!(", {} left", clock(seconds * (1.0 / share.max(1e-9) - 1.0))),
        };
        let label = format!("epoch {}, step {} of {}{left}", self.epoch, self.done, self.total);
        let style = Style::new().fg(Color::Blue);
        frame.render_widget(Gauge::default().ratio(share).label(label).gauge_style(style), gauge);
    }

    fn chart(&self, area: Rect, frame: &mut Frame) {
        let values = || self.loss.iter().chain(&self.validation).map(|point| point.1);
        let high = values().fold(0.0, f64::max).max(0.01) * 1.05;
        let line = |name, points, color, kind| {
            Dataset::default()
                .name(name)
                .data(points)
                .marker(Marker::Braille)
                .graph_type(kind)
                .style(Style::new().fg(color))
        };
        let sets = vec![
            line("training", &self.loss[..], Color::Yellow, GraphType::Line),
            line("validation", &self.validation[..], Color::Green, GraphType::Line),
        ];
        let end = self.total.max(1) as f64;
        let x = Axis::default().bounds([0.0, end]).labels(["0".into(), format!("{end} steps")]);
        let y = Axis::default().bounds([0.0, high]).labels(["0".into(), format!("{high:.2}")]);
        let chart = Chart::new(sets).block(Block::bordered().title("Loss")).x_axis(x).y_axis(y);
        frame.render_widget(chart, area);
    }
}

/// Seconds as people say them.
fn clock(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use ratatui::backend::TestBackend;

    use super::*;

    fn drawn(state: &State, seconds: f64) -> String {
        let mut terminal = Terminal::new(TestBackend::new(80, HEIGHT)).unwrap();
        terminal.draw(|frame| state.render(seconds, frame)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn it_shows_where_a_training_is_and_how_long_it_will_take() {
        let mut state = State::new(400);
        for step in 0..100 {
            state.step(1 + step / 50, 1.0 - step as f32 / 200.0);
        }
        state.judged(&[("training loss", 0.7), ("validation loss", 0.6), ("accuracy", 0.915)]);
        let picture = drawn(&state, 120.0);
        for part in ["Loss", "epoch 2, step 100 of 400, 6 min left", "accuracy 0.9150", "400 steps"]
        {
            assert!(picture.contains(part), "{part} in\n{picture}");
        }
        let dots = picture.chars().filter(|c| ('\u{2801}'..='\u{28ff}').contains(c)).count();
        assert!(dots > 10, "a curve in\n{picture}");
        assert_eq!(state.validation, [(100.0, 0.6)]);
    }

    #[test]
    fn a_training_that_has_not_begun_and_one_of_many_steps_are_drawn_too() {
        assert!(drawn(&State::new(0), 0.0).contains("step 0 of 0"));
        let mut state = State::new(100_000);
        (0..100_000).for_each(|_| state.step(1, 0.5));
        assert!(state.loss.len() <= POINTS && state.loss.len() > POINTS / 4);
        assert!(drawn(&state, 9000.0).contains("0 s left"));
    }

    #[test]
    fn times_are_told_as_people_say_them() {
        assert_eq!([clock(12.4), clock(61.0), clock(7300.0)], ["12 s", "2 min", "2 h 01 min"]);
    }
}
