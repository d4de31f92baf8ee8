/** What a run is, from first to last. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { type DataInput, Dataset } from './dataset.js';
import { AbortError, ConfigError, fromNative, ModelError, TrainingError } from './errors.js';
import { configText, type ModelConfig, type ProblemType, parametersBesideEmbeddings, withLabels } from './model/config.js';
import { openModelFolder, resolveModel } from './model/folder.js';
import { type PredictionOf, predict } from './model/predict.js';
import { isSplit } from './option-check.js';
import { type ResolvedConfig, resolveConfig, type TrainerConfig } from './options.js';
import { type MeasureOptions, measure } from './report/measure.js';
import { packageVersion } from './runtime/build.js';
import { loadBase, loadEngine } from './runtime/load.js';
import type { NativeSession } from './runtime/native.js';
import { Tokenizer } from './tokenizer.js';
import { settledWeights } from './train/class-weights.js';
import type { Evaluation, LogEntry, Metrics, MetricsOf, Position, Timings, TrainerEvent } from './train/events.js';
import { type Examples, lengthsOf, requireKnownTokens, rowsOf } from './train/examples.js';
import { runLoop } from './train/loop.js';
import { gather, type ReadingOptions, readRows } from './train/material.js';
import { epochOrder, type OrderOptions, orderSeed } from './train/order.js';
import { planOf } from './train/plan.js';
import { History, machineOf, type RunRecord, timingsOf } from './train/record.js';
import { drive, type Run } from './train/run.js';
import { scheduleOf } from './train/schedule.js';
import { sessionOptions } from './train/session.js';
import { trainerStateText } from './train/trainer-state.js';
import { Turn } from './train/turn.js';

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

/** A model in training. */
interface Workplace {
	readonly model: ModelConfig;
	readonly tokenizer: Tokenizer;
	readonly session: NativeSession;
	readonly eval: Examples | undefined;
	readonly maxLength: number;
	/** What is written beside the model once the run has ended. */
	papers: { readonly record: RunRecord; readonly trainerState: string } | undefined;
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

	/** Trains from the start and writes the model to `outputDir`. One call at a time: a second rejects with TRAINER_BUSY. */
	fit({ signal }: FitOptions = {}): TrainerRun {
		const history = new History();
		return drive(this.#turn.tell(this.#fit(history, signal)), (event) => {
			history.add(event);
			if ('step' in event) this.#position = { step: event.step, epoch: event.epoch };
		});
	}

	/** Metrics of the trained model on `data`, by default on the rows that `eval` named. */
	evaluate(data?: DataInput): Promise<MetricsOf[Problem]> {
		return this.#turn.run(async () => {
			const workplace = this.#trained();
			const { tokenizer, maxLength, model } = workplace;
			const examples =
				data === undefined
					? workplace.eval
					: (await readRows(Dataset.from(data, this.config), model.labels, this.#reading(tokenizer, maxLength))).examples;
			if (examples === undefined) throw new ConfigError('OPTIONS_INVALID', 'Expected rows to evaluate: neither `eval` nor an argument names any');
			const measured = await measure(
				examples,
				this.#measuring(workplace, () => this.#turn.closed),
			);
			if (measured === undefined) throw new AbortError('The evaluation was stopped');
			return measured.metrics as MetricsOf[Problem];
		});
	}

	/** What the trained model says of each text of `data`, in order. Rows are read as for `evaluate`, but their labels may be any. */
	predict(data: DataInput): Promise<PredictionOf[Problem][]> {
		return this.#turn.run(async () => {
			const { model, tokenizer, session, maxLength } = this.#trained();
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
		return this.#turn.run(() => this.#write(this.#trained(), folder));
	}

	/** Stops a run, waits for it, and frees native memory. Twice is fine. */
	async dispose(): Promise<void> {
		await this.#turn.close();
		await this.#vacate();
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.dispose();
	}

	async *#fit(history: History, signal: AbortSignal | undefined): AsyncGenerator<TrainerEvent, TrainResult> {
		const { config } = this;
		const stopped = () => this.#turn.closed || signal?.aborted === true;
		await this.#vacate();
		this.#position = { step: 0, epoch: 0 };

		const folder = await openModelFolder(await resolveModel(config.model));
		const maxLength = settledLength(config.maxLength, folder.config.shape.maxPositions);
		const tokenizer = await Tokenizer.load(folder.folder);
		const { Generator } = loadBase();
		const dataSeed = config.dataSeed ?? config.seed;
		const sources = { train: this.#train, eval: this.#eval, labels: config.labels, Generator, dataSeed };
		const material = await gather(sources, this.#reading(tokenizer, maxLength, signal));
		requireKnownTokens([material.train, material.eval], folder.config.shape.vocabSize, folder.folder);
		const plan = planOf(rowsOf(material.train), config);
		const model = withLabels(folder.config, material.labels, config.problemType);
		const engine = loadEngine();
		await requireWritable(config.outputDir); // now, not after hours
		const weights = config.classWeights && settledWeights(config.classWeights, material.labels, material.train.targets);
		const session = await engine.openSession(sessionOptions(folder.weights, model, config, weights)).catch((cause: unknown) => {
			throw fromNative(cause, ModelError);
		});
		const workplace: Workplace = { model, tokenizer, session, eval: material.eval, maxLength, papers: undefined };
		this.#workplace = workplace;

		yield {
			type: 'trainBegin',
			model: folder.folder,
			labels: material.labels,
			rows: rowsOf(material.train),
			evalRows: material.eval === undefined ? 0 : rowsOf(material.eval),
			...plan,
			evalStrategy: config.evalStrategy,
		};
		for (const warning of [...material.warnings, ...ignoredWeights(session)]) yield { type: 'warning', ...warning };

		const order: OrderOptions = {
			...config,
			rowsPerStep: config.perDeviceTrainBatchSize * config.gradientAccumulationSteps,
			lengths: lengthsOf(material.train),
			Generator,
		};
		const started = performance.now();
		const end = yield* runLoop({
			session,
			options: config,
			plan,
			schedule: scheduleOf(config, plan.totalSteps),
			examples: material.train,
			orderOf: (epoch) => epochOrder(epoch, order),
			evaluate: async () => material.eval && measure(material.eval, this.#measuring(workplace, stopped)),
			stopped,
		});
		const timings = timingsOf((performance.now() - started) / 1000, end, history.evaluations);
		const record: RunRecord = {
			format: 1,
			status: end.finished ? 'finished' : 'interrupted',
			config: {
				...config,
				train: this.#train.source,
				eval: this.#eval instanceof Dataset ? this.#eval.source : this.#eval,
				maxLength,
				classWeights: weights,
			},
			labels: material.labels,
			orderSeed: String(orderSeed(order)),
			drawnFromSeed: session.initialized,
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
		const trainerState = trainerStateText({
			options: config,
			plan,
			rows: rowsOf(material.train),
			entries: history.entries,
			step: end.step,
			epoch: end.epoch,
			paddedTokens: end.paddedTokens,
			parameters: parametersBesideEmbeddings(model.shape),
			...(end.finished && { end: { loss: end.loss, timings } }),
		});
		workplace.papers = { record, trainerState };
		if (!end.finished && end.step === 0)
			throw new AbortError('The run was stopped before its first step; nothing was saved', { cause: signal?.reason });
		await this.#write(workplace, config.outputDir);
		yield { type: 'save', step: end.step, epoch: end.epoch, path: config.outputDir };
		if (!end.finished) {
			const message = `The run was stopped after step ${end.step} of ${plan.totalSteps}; the model as it was then is in ${config.outputDir}`;
			throw new AbortError(message, { cause: signal?.reason, checkpoint: config.outputDir });
		}
		yield { type: 'trainEnd', step: end.step, epoch: end.epoch, loss: end.loss, timings };
		return {
			metrics: history.evaluations.at(-1)?.metrics,
			history: history.log,
			evaluations: history.evaluations,
			outputDir: config.outputDir,
			timings,
		};
	}

	async #vacate(): Promise<void> {
		this.#workplace?.tokenizer.dispose();
		await this.#workplace?.session.close();
		this.#workplace = undefined;
	}

	#reading(tokenizer: Tokenizer, maxLength: number, signal?: AbortSignal): ReadingOptions {
		return {
			encode: (texts) => tokenizer.encodeBatch(texts, { maxLength }),
			problemType: this.config.problemType,
			maxLength,
			truncation: this.config.truncation,
			stopIfAborted: () => {
				if (!this.#turn.closed && signal?.aborted !== true) return;
				throw new AbortError('The run was stopped while its rows were read; nothing was saved', { cause: signal?.reason });
			},
		};
	}

	#measuring({ session, model }: Workplace, stopped: () => boolean): MeasureOptions {
		const { problemType, labelSmoothingFactor: labelSmoothing, perDeviceEvalBatchSize: batchSize } = this.config;
		return { session, problemType, labels: model.labels, labelSmoothing, batchSize, stopped };
	}

	#write({ model, tokenizer, session, papers }: Workplace, folder: string): Promise<void> {
		return writeFolderAtomically(folder, async (temporary) => {
			await session.saveWeights(join(temporary, 'model.safetensors'));
			await tokenizer.save(temporary);
			await writeFile(join(temporary, 'run.json'), `${JSON.stringify(papers?.record, undefined, '\t')}\n`);
			await writeFile(join(temporary, 'trainer_state.json'), papers?.trainerState ?? '');
			await writeFile(join(temporary, 'config.json'), configText(model));
		});
	}

	#trained(): Workplace {
		if (this.#workplace?.papers !== undefined) return this.#workplace;
		throw new TrainingError('NOT_TRAINED', 'Expected a trained model, but fit() has not come to an end', {
			hint: 'await fit() first, or open a saved model with Classifier.load()',
		});
	}
}

function settledLength(maxLength: number | undefined, positions: number): number {
	if (maxLength === undefined) return Math.min(512, positions);
	if (maxLength <= positions) return maxLength;
	throw new ConfigError('OPTIONS_INVALID', `Expected \`maxLength\` to be at most ${positions}, the positions of this model, got ${maxLength}`);
}

function ignoredWeights({ ignored }: NativeSession): { code: string; message: string }[] {
	if (ignored.length === 0) return [];
	return [{ code: 'WEIGHTS_IGNORED', message: `A classifier has no use for these tensors of the model: ${ignored.join(', ')}` }];
}
