import { Calls } from './calls.js';
import { defaultSeparator, requireTwoLabels } from './data/labels.js';
import { portions } from './data/portions.js';
import { type DataInput, Dataset } from './dataset.js';
import { AbortError, ConfigError, DataError, fromNative, ModelError } from './errors.js';
import { type HeadOptions, headOptions, type Learned, learn } from './learn.js';
import { type ModelConfig, type ProblemType, problemOf } from './model/config.js';
import { saveCopy, savedDtype, type WeightFiles, weightFiles } from './model/copy.js';
import { atTemperature, type Decision, plainDecision } from './model/decision.js';
import { type ModelFolder, openModelFolder, resolveModel } from './model/folder.js';
import { openPacked } from './model/packed.js';
import { type PredictionOf, predict, type RankedLabel, ranked, type Scorer, score } from './model/predict.js';
import { loadVocabulary, type Vocabulary } from './model/vocabulary.js';
import { faultOf } from './option-check.js';
import { bestThreshold, fitTemperature, type Temperature, type ThresholdMetric, thresholdMetricNames, thresholdValue } from './report/calibration.js';
import { type Fold, foldFor } from './report/fold.js';
import { probabilityMetrics } from './report/probabilistic.js';
import { Probabilities, ScoredRows } from './report/scored-rows.js';
import { loadBase } from './runtime/load.js';
import { type Dtype, dtypes, type Head, type NativePredictor, type NativeTokenizer } from './runtime/native.js';
import type { ClassMetrics, Measured, MetricsOf } from './train/events.js';
import { targetReader } from './train/targets.js';

export interface ClassifierOptions<Problem extends ProblemType = ProblemType> {
	/** What the model must be for, and so the shape of all that is told; others are refused. @default what it is for, typed as of one label a text */
	readonly problemType?: Problem;
	/** Threads of the forward pass; 0 means one per physical core. @default 0 */
	readonly threads?: number;
	/**
	 * What weights are kept and multiplied in: 'int8' takes a quarter of the memory and less than half the time, and moves scores a little
	 * (docs/inference.md). @default what the weights were saved in
	 */
	readonly dtype?: Dtype;
}

/** How texts are read. */
export interface ReadOptions {
	/** Longest row in tokens, [CLS] and [SEP] included, from 2; longer texts are cut. @default what the model can take, at most 512 */
	readonly maxLength?: number;
	/** Stops between batches; the call then rejects with AbortError. */
	readonly signal?: AbortSignal;
}

export interface PredictOptions extends ReadOptions {
	/** Give the `topK` labels with the highest scores as a list instead; not with a regression. From 1; more than there are labels gives all of them. */
	readonly topK?: number;
}

export interface ThresholdOptions extends ReadOptions {
	/** What is to be best: F1 of the second label, accuracy, Matthews correlation, or Youden's J (sensitivity + specificity - 1). @default 'f1' */
	readonly metric?: ThresholdMetric;
}

/** How texts are read, and a head fitted. */
export interface LearnOptions extends ReadOptions, HeadOptions {}

export interface SaveOptions {
	/** What weights are written in. @default as they are */
	readonly dtype?: Dtype;
}

/** What calibrate() did. */
export interface Calibration {
	readonly temperature: number;
	/** 'interior', or the bound it ended at: the rows then are too few or too easy to tell. 'flat': they tell nothing, nothing was changed. */
	readonly where: Temperature['where'];
	readonly rows: number;
	readonly before: CalibrationMetrics;
	readonly after: CalibrationMetrics;
}

export type CalibrationMetrics = Pick<ClassMetrics, 'loss' | 'brier' | 'ece'>;

/** What tuneThreshold() did. */
export interface TunedThreshold {
	/** The second label is given where its score is at least this. */
	readonly threshold: number;
	readonly metric: ThresholdMetric;
	/** The metric before and now. */
	readonly before: number;
	readonly after: number;
	readonly rows: number;
}

/** A classifier measured on rows. */
export interface Evaluated<Problem extends ProblemType = 'single_label_classification'> extends Measured {
	readonly metrics: MetricsOf[Problem];
	/** Rows whose text was cut to maxLength. */
	readonly truncated: number;
}

/** A trained classifier of texts: one label each, any number of labels, or a number. Runs on the CPU without libtorch. */
export class Classifier<Problem extends ProblemType = 'single_label_classification'> implements AsyncDisposable {
	readonly problemType: Problem;
	/** Names of the outputs, by index. */
	readonly labels: readonly string[];
	readonly #config: ModelConfig;
	readonly #vocabulary: Vocabulary;
	readonly #predictor: NativePredictor;
	readonly #tokenizer: NativeTokenizer;
	readonly #threads: number;
	readonly #calls = new Calls();
	#weights: WeightFiles;
	/** Undefined until another was learned: that of the file. */
	#head: Head | undefined;
	#decision: Decision;

	private constructor(
		config: ModelConfig,
		weights: WeightFiles,
		vocabulary: Vocabulary,
		predictor: NativePredictor,
		tokenizer: NativeTokenizer,
		threads: number,
	) {
		this.problemType = problemOf(config) as Problem;
		this.labels = config.labels;
		this.#config = config;
		this.#weights = weights;
		this.#vocabulary = vocabulary;
		this.#decision = config.decision;
		this.#predictor = predictor;
		this.#tokenizer = tokenizer;
		this.#threads = threads;
	}

	/** Opens a model by folder or name. Throws ModelError: MODEL_NOT_FOUND, MODEL_NOT_TRAINED, PROBLEM_MISMATCH, CONFIG_*, WEIGHTS_*,
	 * SAFETENSORS_INVALID, PYTORCH_BIN_INVALID, TENSOR_*. */
	static async load<Problem extends ProblemType = 'single_label_classification'>(
		folderOrName: string,
		options: ClassifierOptions<Problem> = {},
	): Promise<Classifier<Problem>> {
		const threads = wholeNumber('threads', options.threads ?? 0, 0, 1024);
		requireDtype(options.dtype);
		const model = await openModelFolder(await resolveModel(folderOrName));
		const { shape } = model.config;
		requireProblem(model, options.problemType);
		const vocabulary = await loadVocabulary(model.folder);
		if (vocabulary.tokens.length > shape.vocabSize)
			throw new ModelError(
				'VOCABULARY_MISMATCH',
				`${model.folder} has a vocabulary of ${vocabulary.tokens.length} tokens, but its model knows ${shape.vocabSize}`,
			);
		const base = loadBase();
		const weights = await weightFiles(model.weights);
		const dtype = options.dtype ?? savedDtype(model.weights);
		const predictor = await openPacked(base, weights, { weights: model.weights, shape, threads, dtype }).catch((cause: unknown) => {
			throw fromNative(cause, ModelError);
		});
		return new Classifier<Problem>(model.config, weights, vocabulary, predictor, new base.Tokenizer(vocabulary), threads);
	}

	/** What logits are divided by before they become scores; 1 unless calibrated. */
	get temperature(): number {
		return this.#decision.temperature;
	}

	/** From which score on the second of two labels is given; null where the larger score says. */
	get threshold(): number | null {
		return this.#decision.threshold;
	}

	predict(text: string, options: PredictOptions & { readonly topK: number }): Promise<RankedLabel[]>;
	predict(texts: readonly string[], options: PredictOptions & { readonly topK: number }): Promise<RankedLabel[][]>;
	predict(text: string, options?: PredictOptions): Promise<PredictionOf[Problem]>;
	predict(texts: readonly string[], options?: PredictOptions): Promise<PredictionOf[Problem][]>;
	/** One text in, one result out; many in, many out, in order. A result does not depend on the other texts of the call. */
	async predict(input: string | readonly string[], options: PredictOptions = {}): Promise<unknown> {
		const texts: string[] = [];
		for (const text of Array.isArray(input) ? (input as readonly unknown[]) : [input]) {
			if (typeof text !== 'string') throw new DataError('TEXT_INVALID', `Expected a text or a list of texts, got ${typeof text}`);
			texts.push(text);
		}
		const results = await this.#calls.run(() => this.#predict(texts, options));
		return typeof input === 'string' ? results[0] : results;
	}

	/** Measures the classifier, as calibrated and tuned, on rows whose labels it knows. Several labels of a file's row are parted by '|'. */
	evaluate(data: DataInput, options: ReadOptions = {}): Promise<Evaluated<Problem>> {
		return this.#calls.run(async () => {
			const started = performance.now();
			const { problemType, labels } = this;
			const fold = foldFor({ problemType, labels, decision: this.#decision });
			const labelSeparator = problemType === 'multi_label_classification' ? defaultSeparator : undefined;
			const truncated = await this.#score(Dataset.from(data, { labelSeparator }), options, fold);
			return { metrics: await fold.metrics(), rows: fold.rows, seconds: (performance.now() - started) / 1000, truncated };
		});
	}

	/**
	 * Fits the temperature that makes the scores of rows with known labels most likely, and uses it from then on. No label changes: a
	 * threshold moves with the scores. Take rows the model was not trained on.
	 */
	async calibrate(data: DataInput, options: ReadOptions = {}): Promise<Calibration> {
		this.#requireOneLabelATextFor('calibrate');
		return this.#calls.change(async () => {
			const rows = await this.#finite(Dataset.from(data), options);
			const measured = (): CalibrationMetrics => {
				const { loss, brier, ece } = probabilityMetrics(new Probabilities(rows, this.#decision.temperature));
				return { loss, brier, ece };
			};
			const before = measured();
			const { value, where } = fitTemperature(rows);
			if (value !== null) this.#decision = atTemperature(this.#decision, value);
			return { temperature: this.temperature, where, rows: rows.length, before, after: measured() };
		});
	}

	/**
	 * Finds the score from which on the second of two labels is best given, and gives it so from then on; scores stay what they are.
	 * Take rows the model was not trained on, with both labels among them.
	 */
	async tuneThreshold(data: DataInput, options: ThresholdOptions = {}): Promise<TunedThreshold> {
		this.#requireOneLabelATextFor('tune a threshold of');
		const { metric = 'f1' } = options;
		if (!thresholdMetricNames.includes(metric))
			throw new ConfigError('OPTIONS_INVALID', `Expected \`metric\` to be one of ${thresholdMetricNames.join(', ')}, got ${JSON.stringify(metric)}`);
		if (this.labels.length !== 2)
			throw new ConfigError('OPTIONS_INVALID', `Expected a classifier of two labels to tune a threshold of, got one of ${this.labels.length}`);
		return this.#calls.change(async () => {
			const dataset = Dataset.from(data);
			const rows = await this.#finite(dataset, options);
			requireTwoLabels(
				this.labels.filter((_, label) => rows.has(label)),
				dataset.source,
			);
			const probabilities = new Probabilities(rows, this.#decision.temperature);
			const before = thresholdValue(probabilities, metric, this.#decision);
			const { threshold, value } = bestThreshold(probabilities, metric);
			this.#decision = { ...this.#decision, threshold };
			return { threshold, metric, before, after: value, rows: rows.length };
		});
	}

	/**
	 * Fits the last linear layer, and only that, anew to rows with known labels, and uses it from then on: seconds where a training takes
	 * minutes. The new head knows these rows alone, not what the old one was trained on, so give all rows it is to know, and at least one of
	 * each label. Temperature and threshold belonged to the old head and are dropped: calibrate and tune again. Calls under way keep the old
	 * head to their end. Where this rejects, nothing has changed; `learn` in ./learn.ts says with what. dispose() ends it with CLASSIFIER_CLOSED.
	 */
	async learn(data: DataInput, options: LearnOptions = {}): Promise<Learned> {
		this.#requireOneLabelATextFor('learn');
		return this.#calls.change(async () => {
			const { maxLength, signal } = options;
			const longest = this.#config.shape.maxPositions;
			const fault = maxLength === undefined ? undefined : faultOf({ kind: 'integer', min: 2, max: longest }, maxLength, 'maxLength');
			const checked = headOptions(options, [fault]);
			const stopIfAborted = () => {
				this.#calls.stopIfClosed();
				if (signal?.aborted) throw new AbortError('Learning was stopped by its signal; the old head stays', { cause: signal.reason });
			};
			const old = { head: this.#head ?? this.#predictor.head, decision: this.#decision };
			const { encode } = this.#scorer(options);
			const [predictor, threads, labels] = [this.#predictor, this.#threads, this.labels];
			const { head, learned } = await learn(
				Dataset.from(data),
				{ base: loadBase(), predictor, encode, labels, old, threads, stopIfAborted },
				checked,
			);
			this.#head = head;
			this.#decision = plainDecision;
			return learned;
		});
	}

	/**
	 * Writes the model, as learned, calibrated and tuned, to a folder. Its weights are copied as they are; after learn() and with `dtype` they
	 * are written, as F32 or for int8 as model.int8.safetensors, in a quarter of the bytes, which only this package reads. Into its own folder goes config.json, and what is written of the weights; those must then be a model.safetensors.
	 */
	save(folder: string, options: SaveOptions = {}): Promise<void> {
		return this.#calls.run(async () => {
			requireDtype(options.dtype);
			const [head, weights, config] = [this.#head, this.#weights, { ...this.#config, decision: this.#decision }];
			const { shape } = config;
			const dtype = options.dtype ?? savedDtype([...weights.keys()][0] as string);
			const model = { shape, head: head ?? this.#predictor.head, dtype };
			const write = (head || options.dtype) && ((from: string, to: string) => loadBase().saveWeights({ weights: from, ...model }, to));
			const now = await saveCopy(folder, config, weights, this.#vocabulary, write || undefined, dtype);
			if (now !== weights) this.#weights = now; // else another save, into the model's own folder, may have set it meanwhile
		});
	}

	async #predict(texts: readonly string[], options: PredictOptions): Promise<(PredictionOf[ProblemType] | RankedLabel[])[]> {
		const { problemType, labels } = this;
		const topK = options.topK === undefined ? undefined : wholeNumber('topK', options.topK, 1, Number.MAX_SAFE_INTEGER);
		if (topK !== undefined && problemType === 'regression')
			throw new ConfigError('OPTIONS_INVALID', 'Expected no `topK` where a text is given a number: it has no labels');
		const predictor = { problemType, labels, decision: this.#decision, ...this.#scorer(options) };
		const predictions: PredictionOf[ProblemType][] = await predict(texts, predictor);
		if (topK === undefined) return predictions;
		return predictions.map((prediction) => ranked(labels, 'scores' in prediction ? prediction.scores : {}).slice(0, topK));
	}

	#requireOneLabelATextFor(purpose: string): void {
		if (problemOf(this.#config) === 'single_label_classification') return;
		throw new ConfigError('PROBLEM_MISMATCH', `Expected a classifier that gives each text one label to ${purpose}, got one for ${this.problemType}`);
	}

	/** Folds the logits of rows with known labels `into` something; gives how many of their texts were cut. */
	async #score(dataset: Dataset, options: ReadOptions, into: Pick<Fold<unknown>, 'add'>): Promise<number> {
		const scorer = this.#scorer(options);
		let truncated = 0;
		for await (const portion of portions(dataset)) {
			const reader = targetReader(this.problemType, dataset, this.labels);
			for (const row of portion) reader.add(row);
			const { targets } = reader.settle();
			const width = targets.length / portion.length;
			const texts = portion.map(({ text }) => text);
			let row = 0;
			for await (const { logits, truncated: cut } of score(texts, scorer)) {
				into.add(logits, targets.subarray(row * width, ++row * width));
				truncated += Number(cut);
			}
		}
		return truncated;
	}

	/** Rows to fit something to: their logits must be finite. */
	async #finite(dataset: Dataset, options: ReadOptions): Promise<ScoredRows> {
		const rows = new ScoredRows(this.labels.length);
		await this.#score(dataset, options, rows);
		if (rows.areFinite) return rows;
		throw new ModelError('LOGITS_NOT_FINITE', 'Expected logits to be finite numbers, but the model gives NaN or infinity', {
			hint: 'train it again',
		});
	}

	#scorer(options: ReadOptions): Scorer {
		const longest = this.#config.shape.maxPositions;
		const maxLength = wholeNumber('maxLength', options.maxLength ?? Math.min(512, longest), 2, longest);
		const head = this.#head;
		const encodeOptions = { maxLength, addSpecialTokens: true, matchSpecialTokens: true, spans: false };
		return {
			encode: (texts) => this.#tokenizer.encode(texts, encodeOptions),
			logits: (batch) => this.#predictor.logits(batch, head),
			stopIfAborted: () => {
				if (options.signal?.aborted) throw new AbortError('Classifying was stopped by its signal', { cause: options.signal.reason });
			},
		};
	}

	/** Frees the native memory once running calls have ended. Twice is fine. */
	dispose(): Promise<void> {
		return this.#calls.close(async () => {
			this.#tokenizer.close();
			await this.#predictor.close();
		});
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.dispose();
	}
}

/** The kind of problem and the number of outputs must go together. */
function requireProblem({ config, folder }: ModelFolder, expected: ProblemType | undefined): void {
	const { labels } = config.shape;
	const problemType = problemOf(config);
	if (expected !== undefined && problemType !== expected)
		throw new ModelError('PROBLEM_MISMATCH', `Expected a model for ${expected}, but ${folder} is one for ${problemType}`);
	if (problemType === 'single_label_classification' && labels < 2)
		throw new ModelError('CONFIG_INVALID', `${folder} has one label, expected a classifier with at least two`);
	if (problemType === 'regression' && labels !== 1)
		throw new ModelError('CONFIG_INVALID', `${folder} has ${labels} outputs, expected a regression with one`);
}

function requireDtype(dtype: unknown): void {
	const fault = dtype === undefined ? undefined : faultOf({ kind: 'choice', choices: dtypes }, dtype, 'dtype');
	if (fault !== undefined) throw new ConfigError('OPTIONS_INVALID', fault);
}

function wholeNumber(name: string, value: number, low: number, high: number): number {
	if (!Number.isInteger(value) || value < low || value > high)
		throw new ConfigError('OPTIONS_INVALID', `Expected \`${name}\` to be a whole number from ${low} to ${high}, got ${value}`);
	return value;
}
