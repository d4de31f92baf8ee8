/** What a run is, from first to last. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { requireTwoLabels } from './data/labels.js';
import type { DatasetRow, Fingerprint } from './data/row.js';
import { heldBack } from './data/split.js';
import { type DataInput, Dataset } from './dataset.js';
import { AbortError, ConfigError, DataError, ModelError, TrainingError } from './errors.js';
import { configText, type ModelConfig, withLabels } from './model/config.js';
import { openModelFolder, resolveModel, writeFolderAtomically } from './model/folder.js';
import { isSplit, type ResolvedConfig, resolveConfig, type TrainerConfig } from './options.js';
import { Tally } from './report/metrics.js';
import { packageVersion } from './runtime/build.js';
import { loadBase, loadEngine } from './runtime/load.js';
import type { NativeSession } from './runtime/native.js';
import { Tokenizer } from './tokenizer.js';
import type { Evaluation, LogEntry, Measured, Metrics, Position, Timings, TrainerEvent } from './train/events.js';
import { type Examples, pack, type Remarks, readExamples } from './train/examples.js';
import { type LoopEnd, runLoop } from './train/loop.js';
import { planOf } from './train/order.js';
import { History, machineOf, peakRssBytes, type RunRecord } from './train/record.js';
import { drive, type Run } from './train/run.js';

export interface FitOptions {
	/** Stops the run between two steps; the model so far is saved, then the run rejects with AbortError. */
	readonly signal?: AbortSignal | undefined;
}

export interface TrainResult {
	/** Of the last evaluation; undefined where none was made. */
	readonly metrics: Metrics | undefined;
	readonly history: readonly LogEntry[];
	readonly evaluations: readonly Evaluation[];
	readonly outputDir: string;
	readonly timings: Timings;
}

/** A promise of the result; iterated, it gives the events from then on. */
export type TrainerRun = Run<TrainerEvent, TrainResult>;

export interface TrainerState extends Position {
	readonly running: boolean;
}

/** The rows of a run, as the model reads them. */
interface Material {
	readonly train: Examples;
	readonly eval: Examples | undefined;
	readonly labels: readonly string[];
	readonly data: RunRecord['data'];
	readonly warnings: readonly { readonly code: string; readonly message: string }[];
}

/** A model in training. */
interface Workplace {
	readonly model: ModelConfig;
	readonly tokenizer: Tokenizer;
	readonly session: NativeSession;
	readonly eval: Examples | undefined;
	readonly maxLength: number;
	record: RunRecord | undefined;
}

export class Trainer implements AsyncDisposable {
	readonly config: ResolvedConfig;
	#workplace: Workplace | undefined;
	#position: Position = { step: 0, epoch: 0 };
	/** The call that is under way, settled without a result. */
	#busy: Promise<void> | undefined;
	#disposed = false;

	/** Checks every option; throws one ConfigError with all that is wrong. Reads and loads nothing. */
	constructor(config: TrainerConfig) {
		this.config = resolveConfig(config);
	}

	get state(): TrainerState {
		return { ...this.#position, running: this.#busy !== undefined };
	}

	/** Trains from the start and writes the model to `outputDir`. One call at a time: a second rejects with TRAINER_BUSY. */
	fit({ signal }: FitOptions = {}): TrainerRun {
		return drive(this.#exclusively(this.#fit(signal)));
	}

	/** Metrics of the trained model on `data`, by default on the rows that `eval` named. */
	evaluate(data?: DataInput): Promise<Metrics> {
		return this.#alone(async () => {
			const { session, model, tokenizer, maxLength, eval: own } = this.#trained();
			const dataset = data === undefined ? undefined : Dataset.from(data, this.config);
			const read = dataset && (await this.#read(dataset, tokenizer, maxLength, model.labels));
			const examples = read?.examples ?? own;
			if (examples === undefined) throw new ConfigError('OPTIONS_INVALID', 'Expected rows to evaluate: neither `eval` nor an argument names any');
			const measured = await this.#measure(session, examples, model.labels, () => this.#disposed);
			if (measured === undefined) throw new AbortError('The evaluation was stopped');
			return measured.metrics;
		});
	}

	/** Writes the trained model to a folder, whole or not at all. */
	save(folder: string = this.config.outputDir): Promise<void> {
		return this.#alone(() => this.#write(this.#trained(), folder));
	}

	/** Stops a run, waits for it, and frees native memory. Twice is fine. */
	async dispose(): Promise<void> {
		this.#disposed = true;
		await this.#busy;
		await this.#workplace?.session.close();
		this.#workplace = undefined;
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.dispose();
	}

	async *#fit(signal: AbortSignal | undefined): AsyncGenerator<TrainerEvent, TrainResult> {
		const { config } = this;
		const stopped = () => this.#disposed || signal?.aborted === true;
		await this.#workplace?.session.close();
		this.#workplace = undefined;
		this.#position = { step: 0, epoch: 0 };

		const folder = await openModelFolder(await resolveModel(config.model));
		const maxLength = settledLength(config.maxLength, folder.config.shape.maxPositions);
		const tokenizer = await Tokenizer.load(folder.folder);
		const material = await this.#gather(tokenizer, maxLength, signal);
		const plan = planOf(material.train.classes.length, config);
		if (plan.batchesPerEpoch === 0) {
			throw new DataError('TOO_FEW_ROWS', `Expected at least one full batch of ${config.perDeviceTrainBatchSize} rows, got ${material.train.classes.length}, and dataloaderDropLast leaves out the rest`);
		}
		const model = withLabels(folder.config, material.labels);
		const engine = loadEngine();
		// Claims the folder before hours are spent: what keeps it from being written comes out now.
		await writeFolderAtomically(config.outputDir, async () => {});
		const session = await openSession(engine, folder.weights, model, config);
		const workplace: Workplace = { model, tokenizer, session, eval: material.eval, maxLength, record: undefined };
		this.#workplace = workplace;

		const history = new History();
		const noted = (event: TrainerEvent): TrainerEvent => {
			history.add(event);
			if ('step' in event) this.#position = { step: event.step, epoch: event.epoch };
			return event;
		};
		yield noted({
			type: 'trainBegin',
			model: folder.folder,
			labels: material.labels,
			rows: material.train.classes.length,
			evalRows: material.eval?.classes.length ?? 0,
			...plan,
			evalStrategy: config.evalStrategy,
		});
		for (const warning of material.warnings) yield noted({ type: 'warning', ...warning });

		const started = performance.now();
		const events = runLoop({
			session,
			options: config,
			plan,
			examples: material.train,
			permutation: loadBase().permutation,
			evaluate: async () => material.eval && this.#measure(session, material.eval, material.labels, stopped),
			stopped,
		});
		let end: LoopEnd;
		for (;;) {
			const next = await events.next();
			if (next.done === true) {
				end = next.value;
				break;
			}
			yield noted(next.value);
		}
		const timings = timingsOf((performance.now() - started) / 1000, end, history.evaluations);
		workplace.record = {
			format: 1,
			status: end.finished ? 'finished' : 'interrupted',
			config: recordedConfig(config, maxLength),
			labels: material.labels,
			versions: { distiltune: packageVersion(), node: process.versions.node, libtorch: engine.torchVersion },
			machine: machineOf(loadBase()),
			data: material.data,
			warnings: history.warnings,
			history: history.log,
			epochs: history.epochs,
			evaluations: history.evaluations,
			trainLoss: end.step === 0 ? null : end.loss,
			steps: end.step,
			timings,
		};
		if (!end.finished && end.step === 0) throw new AbortError('The run was stopped before its first step; nothing was saved', { cause: signal?.reason });
		await this.#write(workplace, config.outputDir);
		yield noted({ type: 'save', step: end.step, epoch: end.epoch, path: config.outputDir });
		if (!end.finished) {
			const message = `The run was stopped after step ${end.step} of ${plan.totalSteps}; the model as it was then is in ${config.outputDir}`;
			throw new AbortError(message, { cause: signal?.reason, checkpoint: config.outputDir });
		}
		yield noted({ type: 'trainEnd', step: end.step, epoch: end.epoch, loss: end.loss, timings });
		return { metrics: history.evaluations.at(-1)?.metrics, history: history.log, evaluations: history.evaluations, outputDir: config.outputDir, timings };
	}

	/** Reads and tokenizes what `train` and `eval` name. */
	async #gather(tokenizer: Tokenizer, maxLength: number, signal: AbortSignal | undefined): Promise<Material> {
		const { config } = this;
		const train = Dataset.from(config.train, config);
		const read = await this.#read(train, tokenizer, maxLength, config.labels, signal);
		const { labels } = read;
		requireTwoLabels(labels, train.source);
		const warnings = warningsOf(read.remarks, train.source, maxLength, config.truncation);
		const fingerprint = train.fingerprint as Fingerprint;
		if (config.eval === undefined) return { train: read.examples, eval: undefined, labels, data: { train: fingerprint }, warnings };
		if (isSplit(config.eval)) {
			const { split } = config.eval;
			const names = Array.from(read.examples.classes, (index) => labels[index] ?? '');
			const held = heldBack(names, loadBase().permutation(config.dataSeed, names.length), { test: split });
			const part = (flag: number) => subset(read.examples, Int32Array.from(held.keys()).filter((row) => held[row] === flag));
			const [kept, measured] = [part(0), part(1)];
			return { train: kept, eval: measured, labels, data: { train: fingerprint, eval: { split, rows: measured.classes.length } }, warnings };
		}
		const dataset = Dataset.from(config.eval, config);
		const other = await this.#read(dataset, tokenizer, maxLength, labels, signal);
		warnings.push(...warningsOf(other.remarks, dataset.source, maxLength, config.truncation));
		return { train: read.examples, eval: other.examples, labels, data: { train: fingerprint, eval: dataset.fingerprint as Fingerprint }, warnings };
	}

	#read(dataset: Dataset, tokenizer: Tokenizer, maxLength: number, labels: readonly string[] | undefined, signal?: AbortSignal) {
		const tooLong = (row: DatasetRow) => dataset.error('TEXT_TOO_LONG', row.line, `the text has more than ${maxLength} tokens`, 'raise maxLength, or set truncation to warn');
		return readExamples(dataset, {
			encode: (texts) => tokenizer.encodeBatch(texts, { maxLength }),
			labels,
			onUnknownLabel: (row) => dataset.error('LABEL_UNKNOWN', row.line, `label ${JSON.stringify(row.label)} is not one of ${(labels ?? []).join(', ')}`),
			onTruncated: this.config.truncation === 'error' ? tooLong : undefined,
			stopIfAborted: () => {
				if (signal?.aborted || this.#disposed) throw new AbortError('The run was stopped while reading its rows; nothing was saved', { cause: signal?.reason });
			},
		});
	}

	async #measure(session: NativeSession, examples: Examples, labels: readonly string[], stopped: () => boolean): Promise<Measured | undefined> {
		const started = performance.now();
		const tally = new Tally(labels);
		const batchSize = this.config.perDeviceEvalBatchSize;
		for (let first = 0; first < examples.classes.length; first += batchSize) {
			if (stopped()) return undefined;
			const size = Math.min(batchSize, examples.classes.length - first);
			const batch = pack(examples, Int32Array.from({ length: size }, (_, index) => first + index));
			tally.addLogits(await session.logits(batch), batch.labels);
		}
		return { metrics: tally.metrics(), labels: tally.byLabel(), rows: tally.rows, seconds: (performance.now() - started) / 1000 };
	}

	#write({ model, tokenizer, session, record }: Workplace, folder: string): Promise<void> {
		return writeFolderAtomically(folder, async (temporary) => {
			await session.saveWeights(join(temporary, 'model.safetensors'));
			await tokenizer.save(temporary);
			await writeFile(join(temporary, 'run.json'), `${JSON.stringify(record, undefined, '\t')}\n`);
			await writeFile(join(temporary, 'config.json'), configText(model));
		});
	}

	#trained(): Workplace {
		if (this.#workplace?.record !== undefined) return this.#workplace;
		throw new TrainingError('NOT_TRAINED', 'Expected a trained model, but fit() has not come to an end', { hint: 'await fit() first, or open a saved model with Classifier.load()' });
	}

	async *#exclusively<Event, Result>(events: AsyncGenerator<Event, Result>): AsyncGenerator<Event, Result> {
		const release = this.#claim();
		try {
			return yield* events;
		} finally {
			release();
		}
	}

	async #alone<Result>(call: () => Promise<Result>): Promise<Result> {
		const release = this.#claim();
		try {
			return await call();
		} finally {
			release();
		}
	}

	#claim(): () => void {
		if (this.#disposed) throw new TrainingError('TRAINER_CLOSED', 'Expected an open Trainer, but dispose() was called on it');
		if (this.#busy !== undefined) {
			throw new TrainingError('TRAINER_BUSY', 'Expected an idle Trainer, but a call on it is still running', { hint: 'await that call first, or make a second Trainer' });
		}
		let release = () => {};
		this.#busy = new Promise((resolve) => {
			release = () => {
				this.#busy = undefined;
				resolve();
			};
		});
		return release;
	}
}

function settledLength(maxLength: number | undefined, positions: number): number {
	if (maxLength === undefined) return Math.min(512, positions);
	if (maxLength <= positions) return maxLength;
	throw new ConfigError('OPTIONS_INVALID', `Expected \`maxLength\` to be at most ${positions}, the positions of this model, got ${maxLength}`);
}

async function openSession(engine: ReturnType<typeof loadEngine>, weights: string, model: ModelConfig, config: ResolvedConfig): Promise<NativeSession> {
	try {
		return await engine.openSession({
			weights,
			shape: model.shape,
			dropout: model.dropout,
			attentionDropout: model.attentionDropout,
			classifierDropout: model.classifierDropout,
			initializerRange: model.initializerRange,
			seed: config.seed,
			optimizer: {
				beta1: config.adamBeta1,
				beta2: config.adamBeta2,
				epsilon: config.adamEpsilon,
				weightDecay: config.weightDecay,
				maxGradNorm: config.maxGradNorm,
			},
			threads: config.threads,
			ops: 'cpu',
		});
	} catch (cause) {
		const { code, hint, message } = cause as { code?: string; hint?: string; message: string };
		throw code === undefined ? cause : new ModelError(code, message, { hint, cause });
	}
}

function subset(examples: Examples, rows: Int32Array): Examples {
	const { ids, offsets, labels } = pack(examples, rows);
	return { ids, offsets, classes: labels };
}

function warningsOf({ empty, truncated, withNul }: Remarks, source: string, maxLength: number, truncation: string): { code: string; message: string }[] {
	const texts = (count: number) => (count === 1 ? '1 text' : `${count} texts`);
	const all = [
		{ code: 'TEXT_EMPTY', count: empty, message: `${texts(empty)} of ${source} ${empty === 1 ? 'is' : 'are'} empty and will be read as [CLS] [SEP]` },
		{ code: 'TEXT_TRUNCATED', count: truncation === 'silent' ? 0 : truncated, message: `${texts(truncated)} of ${source} ${truncated === 1 ? 'was' : 'were'} cut to ${maxLength} tokens` },
		{ code: 'TEXT_WITH_NUL', count: withNul, message: `${texts(withNul)} of ${source} ${withNul === 1 ? 'holds' : 'hold'} NUL bytes, which are left out` },
	];
	return all.filter(({ count }) => count > 0).map(({ code, message }) => ({ code, message }));
}

function timingsOf(trainSeconds: number, end: LoopEnd, evaluations: readonly Evaluation[]): Timings {
	const seconds = trainSeconds - evaluations.reduce((sum, evaluation) => sum + evaluation.seconds, 0);
	return { trainSeconds, stepsPerSecond: end.step / seconds, tokensPerSecond: end.tokens / seconds, peakRssBytes: peakRssBytes() };
}

/** Options as they were used; data from memory is named, not copied. */
function recordedConfig(config: ResolvedConfig, maxLength: number): Record<string, unknown> {
	const named = (data: TrainerConfig['eval']): unknown => (data === undefined || isSplit(data) ? data : Dataset.from(data).source);
	return { ...config, train: named(config.train), eval: named(config.eval), maxLength };
}
