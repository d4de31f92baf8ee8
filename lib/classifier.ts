import { AbortError, ConfigError, DataError, DistiltuneError, ModelError } from './errors.js';
import { type ModelFolder, openModelFolder, resolveModel } from './model/folder.js';
import { loadVocabulary } from './model/vocabulary.js';
import { loadBase } from './runtime/load.js';
import type { NativePredictor, NativeTokenizer, RaggedEncoding } from './runtime/native.js';

export interface ClassifierOptions {
	/** Threads of the forward pass; 0 means one per physical core. @default 0 */
	readonly threads?: number;
}

export interface PredictOptions {
	/** Give the best `topK` labels as a list instead. From 1; more than there are labels gives all of them. */
	readonly topK?: number;
	/** Longest row in tokens, [CLS] and [SEP] included, from 2; longer texts are cut. @default what the model can take, at most 512 */
	readonly maxLength?: number;
	/** Stops between batches; the call then rejects with AbortError. */
	readonly signal?: AbortSignal;
}

export interface RankedLabel {
	readonly label: string;
	/** Probability, from 0 to 1. */
	readonly score: number;
}

export interface Prediction extends RankedLabel {
	/** Probability of every label; they sum to 1. */
	readonly scores: Readonly<Record<string, number>>;
	/** Whether the text was cut to maxLength. */
	readonly truncated: boolean;
	/** Tokens that were read, [CLS] and [SEP] included. */
	readonly tokens: number;
}

// Bounds memory: the widest buffers of a batch hold a few thousand floats a token.
const tokensPerBatch = 2048;
const textsPerEncoding = 256;

/** A trained classifier of texts. Runs on the CPU without libtorch. */
export class Classifier implements AsyncDisposable {
	/** Names of the classes, by index. */
	readonly labels: readonly string[];
	readonly #predictor: NativePredictor;
	readonly #tokenizer: NativeTokenizer;
	readonly #longest: number;
	readonly #running = new Set<Promise<unknown>>();
	#disposed: Promise<void> | undefined;

	private constructor(model: ModelFolder, predictor: NativePredictor, tokenizer: NativeTokenizer) {
		this.labels = model.config.labels;
		this.#longest = model.config.shape.maxPositions;
		this.#predictor = predictor;
		this.#tokenizer = tokenizer;
	}

	/** Opens a model by folder or name. Throws ModelError: MODEL_NOT_FOUND, MODEL_NOT_TRAINED, CONFIG_*, SAFETENSORS_INVALID, TENSOR_*. */
	static async load(folderOrName: string, options: ClassifierOptions = {}): Promise<Classifier> {
		const threads = wholeNumber('threads', options.threads ?? 0, 0, 1024);
		const model = await openModelFolder(await resolveModel(folderOrName));
		const { shape } = model.config;
		if (shape.labels < 2) throw new ModelError('CONFIG_INVALID', `${model.folder} has one label, expected a classifier with at least two`);
		const spec = await loadVocabulary(model.folder);
		if (spec.tokens.length > shape.vocabSize)
			throw new ModelError(
				'VOCABULARY_MISMATCH',
				`${model.folder} has a vocabulary of ${spec.tokens.length} tokens, but its model knows ${shape.vocabSize}`,
			);
		const base = loadBase();
		const predictor = await base.openPredictor({ weights: model.weights, shape, threads }).catch((cause: unknown) => {
			throw asModelError(cause);
		});
		return new Classifier(model, predictor, new base.Tokenizer(spec));
	}

	predict(text: string, options: PredictOptions & { readonly topK: number }): Promise<RankedLabel[]>;
	predict(texts: readonly string[], options: PredictOptions & { readonly topK: number }): Promise<RankedLabel[][]>;
	predict(text: string, options?: PredictOptions): Promise<Prediction>;
	predict(texts: readonly string[], options?: PredictOptions): Promise<Prediction[]>;
	/** One text in, one result out; many in, many out, in order. A result does not depend on the other texts of the call. */
	async predict(input: string | readonly string[], options: PredictOptions = {}): Promise<unknown> {
		if (this.#disposed) throw new DistiltuneError('CLASSIFIER_CLOSED', 'Expected an open classifier, but dispose() was called on it');
		const texts: string[] = [];
		for (const text of Array.isArray(input) ? (input as readonly unknown[]) : [input]) {
			if (typeof text !== 'string') throw new DataError('TEXT_INVALID', `Expected a text or a list of texts, got ${typeof text}`);
			texts.push(text);
		}
		const call = this.#predict(texts, options);
		this.#running.add(call);
		try {
			const results = await call;
			return typeof input === 'string' ? results[0] : results;
		} finally {
			this.#running.delete(call);
		}
	}

	async #predict(texts: readonly string[], options: PredictOptions): Promise<(Prediction | RankedLabel[])[]> {
		const maxLength = wholeNumber('maxLength', options.maxLength ?? Math.min(512, this.#longest), 2, this.#longest);
		const topK = options.topK === undefined ? undefined : wholeNumber('topK', options.topK, 1, Number.MAX_SAFE_INTEGER);
		const encodeOptions = { maxLength, addSpecialTokens: true, matchSpecialTokens: true, spans: false };
		const results: (Prediction | RankedLabel[])[] = [];
		for (let from = 0; from < texts.length; from += textsPerEncoding) {
			throwIfAborted(options.signal);
			const encoding = await this.#tokenizer.encode(texts.slice(from, from + textsPerEncoding), encodeOptions);
			for (const [first, end] of batches(encoding)) {
				throwIfAborted(options.signal);
				const logits = await this.#predictor.logits(slice(encoding, first, end));
				for (let row = first; row < end; row++) {
					const scores = softmax(logits.subarray((row - first) * this.labels.length, (row - first + 1) * this.labels.length));
					results.push(topK === undefined ? this.#prediction(scores, encoding, row) : this.#ranked(scores).slice(0, topK));
				}
			}
		}
		return results;
	}

	/** Frees the native memory once running calls have ended. Twice is fine. */
	dispose(): Promise<void> {
		this.#disposed ??= Promise.allSettled([...this.#running]).then(async () => {
			this.#tokenizer.close();
			await this.#predictor.close();
		});
		return this.#disposed;
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.dispose();
	}

	/** Best first; equal scores in the order of the labels. */
	#ranked(scores: readonly number[]): RankedLabel[] {
		return this.labels.map((label, id) => ({ label, score: scores[id] as number })).sort((a, b) => b.score - a.score);
	}

	#prediction(scores: readonly number[], encoding: RaggedEncoding, row: number): Prediction {
		const { label, score } = this.#ranked(scores)[0] as RankedLabel;
		const tokens = (encoding.offsets[row + 1] as number) - (encoding.offsets[row] as number);
		const byLabel = Object.fromEntries(this.labels.map((name, id) => [name, scores[id] as number]));
		return { label, score, scores: byLabel, truncated: encoding.truncated[row] === 1, tokens };
	}
}

/** Ranges [first, end) of rows with at most tokensPerBatch tokens together, or one longer row. */
function* batches({ offsets }: RaggedEncoding): Generator<[number, number]> {
	const rows = offsets.length - 1;
	for (let first = 0; first < rows; ) {
		let end = first + 1;
		while (end < rows && (offsets[end + 1] as number) - (offsets[first] as number) <= tokensPerBatch) end++;
		yield [first, end];
		first = end;
	}
}

function slice({ ids, offsets }: RaggedEncoding, first: number, end: number) {
	const start = offsets[first] as number;
	return { ids: ids.slice(start, offsets[end]), offsets: offsets.slice(first, end + 1).map((offset) => offset - start) };
}

/** In double, the largest logit subtracted. */
function softmax(logits: Float32Array): number[] {
	const largest = logits.reduce((a, b) => Math.max(a, b));
	const exponentials = Array.from(logits, (logit) => Math.exp(logit - largest));
	const sum = exponentials.reduce((a, b) => a + b, 0);
	return exponentials.map((value) => value / sum);
}

function wholeNumber(name: string, value: number, low: number, high: number): number {
	if (!Number.isInteger(value) || value < low || value > high)
		throw new ConfigError('OPTIONS_INVALID', `Expected \`${name}\` to be a whole number from ${low} to ${high}, got ${value}`);
	return value;
}

function throwIfAborted(signal: AbortSignal | undefined): void {
	if (signal?.aborted) throw new AbortError('Classifying was stopped by its signal', { cause: signal.reason });
}

/** Native refusals of a model's files carry code and hint. */
function asModelError(cause: unknown): unknown {
	const { code, hint, message } = cause as { code?: string; hint?: string; message: string };
	return code === undefined ? cause : new ModelError(code, message, { hint, cause });
}
