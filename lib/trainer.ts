/** The public face of a run: one call at a time, and what may be asked of the model afterwards. */
import { type DataInput, Dataset } from './dataset.js';
import { AbortError, ConfigError, TrainingError } from './errors.js';
import { measureOptions, rehearse, runToEnd, type TrainResult } from './fit/fit.js';
import { type Request, readingOptions } from './fit/prepare.js';
import type { Papers, Workplace } from './fit/workplace.js';
import type { PredictionOf } from './model/answer.js';
import type { ProblemType } from './model/config.js';
import { predict } from './model/predict.js';
import { isSplit } from './option-check.js';
import { type ResolvedConfig, resolveConfig, type TrainerConfig } from './options.js';
import { measure } from './report/measure.js';
import type { MetricsOf, Position, TrainerEvent } from './train/events.js';
import { readRows } from './train/reading.js';
import { History } from './train/record.js';
import { drive, type Run } from './train/run.js';
import type { Schedule } from './train/schedule.js';
import { Turn } from './train/turn.js';

export type { TrainResult } from './fit/fit.js';

export interface FitOptions {
	/** Stops the run after the batch at hand; a checkpoint is saved, then the run rejects with AbortError, whose `checkpoint` names it. */
	readonly signal?: AbortSignal | undefined;
	/**
	 * Goes on from a checkpoint of this very run as if it had never stopped: true for the newest whole one in `outputDir` (the run begins
	 * anew where there is none, with a warning), or the path of one. Rejects with RESUME_MISMATCH where options or rows are others.
	 * @default false
	 */
	readonly resume?: boolean | string | undefined;
}

/** A promise of the result; iterated, it gives the events from then on. */
export type TrainerRun = Run<TrainerEvent, TrainResult>;

export interface TrainerState extends Position {
	readonly running: boolean;
}

export class Trainer<Problem extends ProblemType = 'single_label_classification'> implements AsyncDisposable {
	readonly config: ResolvedConfig;
	readonly #train: Dataset;
	readonly #eval: Dataset | { readonly split: number } | undefined;
	#workplace: Workplace | undefined;
	#position: Position = { step: 0, epoch: 0 };
	readonly #turn = new Turn();

	/** Checks every option; throws one ConfigError with all that is wrong. Reads and loads nothing. */
	constructor(config: TrainerConfig & { readonly problemType?: Problem }) {
		this.config = resolveConfig(config);
		this.#train = Dataset.from(this.config.train, this.config);
		this.#eval = this.config.eval === undefined || isSplit(this.config.eval) ? this.config.eval : Dataset.from(this.config.eval, this.config);
	}

	get state(): TrainerState {
		return { ...this.#position, running: this.#turn.taken };
	}

	/** Trains and writes the model to `outputDir`. One call at a time: a second rejects with TRAINER_BUSY. */
	fit(options: FitOptions = {}): TrainerRun {
		const history = new History();
		return drive(this.#turn.tell(this.#fit(history, options)), (event) => {
			history.add(event);
			if ('step' in event) this.#position = { step: event.step, epoch: event.epoch };
		});
	}

	/** Takes the steps of a run at the rates of `schedule` and throws the model away: writes nothing, and a signal that stops it is no error. */
	rehearse(schedule: Schedule, { signal }: FitOptions = {}): Run<TrainerEvent, void> {
		return drive(this.#turn.tell(this.#rehearse(schedule, signal)));
	}

	/** Metrics of the trained model on `data`, by default on the rows that `eval` named. */
	evaluate(data?: DataInput): Promise<MetricsOf[Problem]> {
		return this.#turn.run(async () => {
			const { workplace } = this.#trained();
			const { tokenizer, maxLength, model } = workplace;
			const stopped = () => this.#turn.closed;
			const reading = readingOptions(tokenizer, maxLength, { config: this.config, stopped, signal: undefined }, () => undefined);
			const examples = data === undefined ? workplace.eval : (await readRows(Dataset.from(data, this.config), model.labels, reading)).examples;
			if (examples === undefined) throw new ConfigError('OPTIONS_INVALID', 'Expected rows to evaluate: neither `eval` nor an argument names any');
			const measured = await measure(
				examples,
				measureOptions(workplace, this.config, stopped, (code, message) => {
					throw new TrainingError(code, message);
				}),
			);
			if (measured === undefined) throw new AbortError('The evaluation was stopped');
			return measured.metrics as MetricsOf[Problem];
		});
	}

	/** What the trained model says of each text of `data`, in order. Rows are read as for `evaluate`, but their labels may be any. */
	predict(data: DataInput): Promise<PredictionOf[Problem][]> {
		return this.#turn.run(async () => {
			const { model, tokenizer, session, maxLength } = this.#trained().workplace;
			const texts: string[] = [];
			for await (const { text } of Dataset.from(data, this.config)) texts.push(text);
			return predict(texts, {
				problemType: this.config.problemType as Problem,
				labels: model.labels,
				encode: (some) => tokenizer.encodeBatch(some, { maxLength }),
				logits: (batch) => session.logits(batch),
				stopIfAborted: () => {
					if (this.#turn.closed) throw new AbortError('The prediction was stopped');
				},
			});
		});
	}

	/** Writes the trained model to a folder, whole or not at all. */
	save(folder: string = this.config.outputDir): Promise<void> {
		return this.#turn.run(async () => {
			const { workplace, papers } = this.#trained();
			await workplace.write(folder, papers);
		});
	}

	/** Stops a run, waits for it, and frees native memory. Twice is fine. */
	async dispose(): Promise<void> {
		await this.#turn.close();
		await this.#vacate();
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.dispose();
	}

	async *#fit(history: History, { signal, resume }: FitOptions): AsyncGenerator<TrainerEvent, TrainResult> {
		await this.#vacate();
		this.#position = { step: 0, epoch: 0 };
		return yield* runToEnd(this.#request(signal, resume), history);
	}

	async *#rehearse(schedule: Schedule, signal: AbortSignal | undefined): AsyncGenerator<TrainerEvent, void> {
		await this.#vacate();
		try {
			yield* rehearse(this.#request(signal), schedule);
		} finally {
			await this.#vacate();
		}
	}

	#request(signal: AbortSignal | undefined, resume?: boolean | string): Request {
		return {
			config: this.config,
			train: this.#train,
			eval: this.#eval,
			resume,
			signal,
			stopped: () => this.#turn.closed || signal?.aborted === true,
			occupy: (workplace: Workplace) => {
				this.#workplace = workplace;
			},
		};
	}

	async #vacate(): Promise<void> {
		await this.#workplace?.close();
		this.#workplace = undefined;
	}

	#trained(): { readonly workplace: Workplace; readonly papers: Papers } {
		const workplace = this.#workplace;
		if (workplace?.papers !== undefined) return { workplace, papers: workplace.papers };
		throw new TrainingError('NOT_TRAINED', 'Expected a trained model, but fit() has not come to an end', {
			hint: 'await fit() first, or open a saved model with Classifier.load()',
		});
	}
}
