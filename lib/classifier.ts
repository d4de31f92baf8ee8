import { answerer } from './classify/answers.js';
import { askAll, askOne, askOneByOne, type Question } from './classify/ask.js';
import { Batcher, type BatcherOptions } from './classify/batcher.js';
import { Calls } from './classify/calls.js';
import type { ScoredText } from './classify/line.js';
import { type Calibration, calibrate, type Evaluated, evaluate, type Subject, type TunedThreshold, tuneThreshold } from './classify/measure.js';
import {
	type ClassifierOptions,
	checkedLearn,
	checkedLength,
	checkedLoad,
	checkedPredict,
	checkedSave,
	type LearnOptions,
	type Limits,
	type PredictOptions,
	type ReadOptions,
	type SaveOptions,
	type ThresholdOptions,
} from './classify/options.js';
import { answers, notText, type Texts } from './classify/stream.js';
import { defaultSeparator } from './data/labels.js';
import { type DataInput, Dataset } from './dataset.js';
import { AbortError, ConfigError, fromNative, ModelError } from './errors.js';
import { type Learned, learn } from './learn.js';
import type { PredictionOf, RankedLabel } from './model/answer.js';
import { type ModelConfig, type ProblemType, problemOf } from './model/config.js';
import { saveCopy, type WeightFiles, weightFiles } from './model/copy.js';
import { type Decision, plainDecision } from './model/decision.js';
import { type ModelFolder, openModelFolder, resolveModel } from './model/folder.js';
import { openStored } from './model/packed.js';
import { loadVocabulary, type Vocabulary } from './model/vocabulary.js';
import { thresholdMetricNames } from './report/calibration.js';
import { loadBase } from './runtime/load.js';
import type { Dtype, Head, NativePredictor, NativeTokenizer, RaggedEncoding } from './runtime/native.js';

/** English text, roughly: bounds how far a stream is read ahead. */
const charactersPerToken = 4;

const plain: PredictOptions = {};

type Answered = PredictionOf[ProblemType] | RankedLabel[];

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
	readonly #batcher: Batcher;
	readonly #calls = new Calls();
	readonly #limits: Limits;
	/** What a call without options asks: there may be very many. */
	#plain: { readonly head: Head | undefined; readonly decision: Decision; readonly question: Question<Answered> } | undefined;
	#weights: WeightFiles;
	/** What they are stored in. */
	#stored: Dtype;
	/** Undefined until another was learned: that of the file. */
	#head: Head | undefined;
	#decision: Decision;

	private constructor(
		config: ModelConfig,
		weights: WeightFiles,
		stored: Dtype,
		vocabulary: Vocabulary,
		predictor: NativePredictor,
		tokenizer: NativeTokenizer,
		options: BatcherOptions & { readonly threads: number },
	) {
		this.problemType = problemOf(config) as Problem;
		this.labels = config.labels;
		this.#config = config;
		this.#weights = weights;
		this.#stored = stored;
		this.#vocabulary = vocabulary;
		this.#decision = config.decision;
		this.#predictor = predictor;
		this.#tokenizer = tokenizer;
		this.#threads = options.threads;
		this.#limits = { problemType: this.problemType, labels: this.labels, longest: config.shape.maxPositions };
		this.#batcher = new Batcher(
			{ encode: (texts, maxLength) => this.#encode(texts, maxLength), logits: (batch, head) => predictor.logits(batch, head) },
			options,
		);
	}

	/** Opens a model by folder or name. Throws ModelError: MODEL_NOT_FOUND, MODEL_NOT_TRAINED, PROBLEM_MISMATCH, CONFIG_*, WEIGHTS_*,
	 * SAFETENSORS_INVALID, PYTORCH_BIN_INVALID, TENSOR_*. */
	static async load<Problem extends ProblemType = 'single_label_classification'>(
		folderOrName: string,
		options: ClassifierOptions<Problem> = {},
	): Promise<Classifier<Problem>> {
		const checked = checkedLoad(options);
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
		const { threads, dtype } = checked;
		const { predictor, stored } = await openStored(base, weights, { weights: model.weights, shape, threads, dtype }).catch((cause: unknown) => {
			throw fromNative(cause, ModelError);
		});
		return new Classifier<Problem>(model.config, weights, stored, vocabulary, predictor, new base.Tokenizer(vocabulary), checked);
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
	/**
	 * One text in, one result out; many in, many out, in order. Calls at the same time share batches and take turns, row by row: a call with
	 * many texts holds up another for no longer than one batch. A result has the same bits whatever else is under way.
	 */
	predict(input: string | readonly string[], options: PredictOptions = plain): Promise<unknown> {
		return this.#calls.run<unknown>(() => {
			if (typeof input === 'string') return askOne(this.#batcher, input, this.#question(options), options.signal);
			if (!Array.isArray(input)) throw notText(input);
			for (const text of input as readonly unknown[]) if (typeof text !== 'string') throw notText(text);
			return askAll(this.#batcher, input, this.#question(options), options.signal);
		});
	}

	stream(texts: Texts, options: PredictOptions & { readonly topK: number }): AsyncGenerator<RankedLabel[], void, undefined>;
	stream(texts: Texts, options?: PredictOptions): AsyncGenerator<PredictionOf[Problem], void, undefined>;
	/**
	 * The result of each text as it comes, in order, in constant memory: texts are read ahead for about two batches and no further until results
	 * are taken. A reader that stops early ends the source with return(). What the source throws comes after the results of the texts before it,
	 * as does CLASSIFIER_CLOSED where dispose() is called meanwhile; an abort comes at once. Head, temperature and threshold are those of the call.
	 */
	stream(texts: Texts, options: PredictOptions = {}): AsyncGenerator<unknown, void, undefined> {
		this.#calls.stopIfClosed();
		const question = this.#question(options);
		const longest = options.windows === undefined ? question.reading.maxLength : Number.POSITIVE_INFINITY;
		const { ask, drop } = askOneByOne(this.#batcher, question);
		return answers(texts, {
			ask: (text) => this.#calls.run(() => ask(text)),
			drop,
			room: 2 * this.#batcher.maxBatchTokens,
			sizeOf: (text) => Math.min(longest, 2 + Math.ceil(text.length / charactersPerToken)),
			closing: this.#calls.closing,
			signal: options.signal,
		});
	}

	/** Measures the classifier, as calibrated and tuned, on rows whose labels it knows. Several labels of a file's row are parted by '|'. */
	evaluate(data: DataInput, options: ReadOptions = {}): Promise<Evaluated<Problem>> {
		return this.#calls.run(async () => {
			const labelSeparator = this.problemType === 'multi_label_classification' ? defaultSeparator : undefined;
			return evaluate(Dataset.from(data, { labelSeparator }), this.#subject(options));
		});
	}

	/**
	 * Fits the temperature that makes the scores of rows with known labels most likely, and uses it from then on. No label changes: a
	 * threshold moves with the scores. Take rows the model was not trained on.
	 */
	async calibrate(data: DataInput, options: ReadOptions = {}): Promise<Calibration> {
		this.#requireOneLabelATextFor('calibrate');
		return this.#calls.change(async () => {
			const { decision, calibration } = await calibrate(Dataset.from(data), this.#subject(options));
			this.#decision = decision;
			return calibration;
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
			const { decision, tuned } = await tuneThreshold(Dataset.from(data), this.#subject(options), metric);
			this.#decision = decision;
			return tuned;
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
			const { signal } = options;
			const { maxLength, ...checked } = checkedLearn(options, this.#limits);
			const stopIfAborted = () => {
				this.#calls.stopIfClosed();
				if (signal?.aborted) throw new AbortError('Learning was stopped by its signal; the old head stays', { cause: signal.reason });
			};
			const old = { head: this.#head ?? this.#predictor.head, decision: this.#decision };
			const encode = (texts: readonly string[]) => this.#encode(texts, maxLength);
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
	 * are written: as F32 or bf16, model.safetensors, which Transformers reads too, or as int8, model.int8.safetensors, a quarter of the bytes,
	 * which only this package reads. Into its own folder go config.json and what is written of the weights; those there must then have the same
	 * name.
	 */
	save(folder: string, options: SaveOptions = {}): Promise<void> {
		return this.#calls.run(async () => {
			const { dtype: wanted } = checkedSave(options);
			const [head, weights, config] = [this.#head, this.#weights, { ...this.#config, decision: this.#decision }];
			const { shape } = config;
			const dtype = wanted ?? this.#stored;
			const model = { shape, head: head ?? this.#predictor.head, dtype };
			const write = (from: string, to: string) => loadBase().saveWeights({ weights: from, ...model }, to);
			const anew = head !== undefined || wanted !== undefined;
			const now = await saveCopy(folder, config, weights, this.#vocabulary, dtype, anew ? write : undefined);
			if (now !== weights) [this.#weights, this.#stored] = [now, dtype]; // else another save, into the model's own folder, may have set them meanwhile
		});
	}

	/** Frees the native memory once calls under way have ended; a stream ends with what it has read. Twice is fine. */
	dispose(): Promise<void> {
		return this.#calls.close(async () => {
			this.#tokenizer.close();
			await this.#predictor.close();
		});
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.dispose();
	}

	/** What a call asks, under the head and the decision of this moment. */
	#question(options: PredictOptions): Question<Answered> {
		if (options !== plain) return this.#questionOf(options);
		if (this.#plain?.head !== this.#head || this.#plain?.decision !== this.#decision)
			this.#plain = { head: this.#head, decision: this.#decision, question: this.#questionOf(plain) };
		return this.#plain.question;
	}

	#questionOf(options: PredictOptions): Question<Answered> {
		const checked = checkedPredict(options, this.#limits);
		const reading = { maxLength: checked.maxLength, stride: checked.windows?.stride, head: this.#head };
		return { reading, answer: answerer(this.#limits, this.#decision, checked) };
	}

	/** The classifier as it is, to be measured. */
	#subject(options: ReadOptions): Subject<Problem> {
		const { problemType, labels } = this;
		const reading = { maxLength: checkedLength(options, this.#limits), head: this.#head };
		const question: Question<ScoredText> = { reading, answer: (scored) => scored };
		return { problemType, labels, decision: this.#decision, score: (texts) => askAll(this.#batcher, texts, question, options.signal) };
	}

	#encode(texts: readonly string[], maxLength: number): Promise<RaggedEncoding> {
		return this.#tokenizer.encode(texts, { maxLength, addSpecialTokens: true, matchSpecialTokens: true, spans: false });
	}

	#requireOneLabelATextFor(purpose: string): void {
		if (this.problemType === 'single_label_classification') return;
		throw new ConfigError('PROBLEM_MISMATCH', `Expected a classifier that gives each text one label to ${purpose}, got one for ${this.problemType}`);
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
