/**
 * The two addons as TypeScript sees them: what native/base/addon.cpp and native/engine/addon.cpp export.
 * Nothing but ./load.ts loads native code.
 *
 * Promises are settled from native threads; every method checks only what memory safety depends on, because the
 * callers in lib/ have checked the rest in whole sentences.
 */

export { loadBase, loadEngine } from './load.js';

/** Rows laid end to end, no padding. Row r is ids[offsets[r] .. offsets[r + 1]); offsets[0] is 0, the last equals ids.length. */
export interface RaggedBatch {
	readonly ids: Int32Array;
	readonly offsets: Int32Array;
	/** What training aims at: Int32Array[rows] of classes, -100 for a row that does not count, or Float32Array[rows * outputs], as `loss.kind` says. */
	readonly labels?: Int32Array | Float32Array;
}

/** What a BERT tokenizer is made of. */
export interface TokenizerSpec {
	/** Token of every id, in order; '' where a tokenizer.json leaves a hole. */
	readonly tokens: readonly string[];
	readonly lowercase: boolean;
	/** null means "as lowercase". */
	readonly stripAccents: boolean | null;
	readonly handleChineseChars: boolean;
	readonly cleanText: boolean;
	readonly unkToken: string;
	readonly clsToken: string;
	readonly sepToken: string;
	readonly padToken: string;
	readonly maskToken: string;
	/** Matched in raw text before anything else; ids come from `tokens`. */
	readonly specialTokens: readonly string[];
	/** '##' */
	readonly continuingPrefix: string;
	/** 100: longer words become one [UNK]. */
	readonly maxWordCodePoints: number;
}

export interface EncodeOptions {
	/** Longest row, special tokens included; 0 for no limit. At least 2. */
	readonly maxLength: number;
	/** Whether [CLS] and [SEP] are put around each row. */
	readonly addSpecialTokens: boolean;
	/** Whether special-token text inside a text becomes the special id (Transformers' behaviour). */
	readonly matchSpecialTokens: boolean;
	/** Whether `spans` is wanted. */
	readonly spans: boolean;
}

export interface RaggedEncoding {
	readonly ids: Int32Array;
	/** int32[rows + 1] */
	readonly offsets: Int32Array;
	/** 1 where a row was cut to maxLength. */
	readonly truncated: Uint8Array;
	/** int32[2 * ids.length]: [start, end) of each token in UTF-16 code units of its text; [0, 0] for added specials. Only with `spans`. */
	readonly spans?: Int32Array;
}

export interface NativeTokenizer {
	/** On the calling thread: for one text. */
	encodeSync(texts: readonly string[], options: EncodeOptions): RaggedEncoding;
	/** Off the calling thread: for many. */
	encode(texts: readonly string[], options: EncodeOptions): Promise<RaggedEncoding>;
	close(): void;
}

/** Sizes and rates of a DistilBERT, already read from config.json and checked. */
export interface ModelShape {
	readonly vocabSize: number;
	readonly maxPositions: number;
	readonly layers: number;
	readonly heads: number;
	readonly dim: number;
	readonly hiddenDim: number;
	/** Number of outputs of the classifier. */
	readonly labels: number;
	/** Activation of the feed-forward block. */
	readonly activation: 'gelu' | 'relu';
}

/** The last linear layer: logits = weight · features + bias. */
export interface Head {
	/** float32[labels * dim], row-major. */
	readonly weight: Float32Array;
	/** float32[labels] */
	readonly bias: Float32Array;
}

export interface NativePredictor {
	/** The head of the file. */
	readonly head: Head;
	/** float32[rows * dim], row-major: what a head reads of each row. */
	features(batch: RaggedBatch): Promise<Float32Array>;
	/** float32[rows * labels], row-major, under `head`; without it under the file's. */
	logits(batch: RaggedBatch, head?: Head): Promise<Float32Array>;
	/** Frees the weights at once; calls already queued finish first. */
	close(): Promise<void>;
}

export interface PredictorOptions {
	/** Absolute path of a file of weights, or of the index of its shards. */
	readonly weights: string;
	readonly shape: ModelShape;
	/** 0: one per physical core. Predictors of as many threads share them. */
	readonly threads: number;
	/** What weights are kept and multiplied in. @default 'fp32' */
	readonly dtype?: Dtype | undefined;
	/** Absolute path of a file for the packed weights, read where it fits and else written; nothing is told where that fails. */
	readonly cache?: string | undefined;
}

/**
 * What the matrices of the layers and the word table are kept and multiplied in. bf16: they and the activations are rounded to bfloat16, sums are
 * fp32. int8: 8-bit numbers with a scale for each output (of the table: each word), activations of 7 bits with a scale and a zero for each token.
 */
export type Dtype = (typeof dtypes)[number];
export const dtypes = ['fp32', 'bf16', 'int8'] as const;

export interface HeadFitOptions {
	/** float32[rows * dim], from NativePredictor.features. */
	readonly features: Float32Array;
	/** One class index a row. */
	readonly classes: Int32Array;
	/** Number of labels. */
	readonly labels: number;
	/** Above 0. */
	readonly l2: number;
	/** 0: one per physical core. */
	readonly threads: number;
}

/** Least sum over the rows of -log softmax(weight · features + bias)[class], plus l2 / 2 times the squared norm of the weight: native/model/head_fit.h. */
export interface NativeHeadFit {
	/** At most `iterations` more; fewer were made where it has converged or, not having converged, cannot go on. */
	advance(iterations: number): Promise<{ readonly iterations: number; readonly converged: boolean }>;
	/** The head so far. */
	head(): Promise<Head>;
	/** float32[rows * labels], row-major: what a head says of the rows of this fit. */
	logits(head: Head): Promise<Float32Array>;
	/** Frees the features at once; calls already queued finish first. */
	close(): Promise<void>;
}

/** torch's CPU generator: MT19937 seeded with the low 32 bits of a seed. Draws follow one another in one stream. */
export interface Generator {
	/** Tensor.random_() of one int64: from 0 to 2^63 - 1. */
	int64(): bigint;
	/** torch.randperm(n), n from 0 to 2^31 - 1. */
	permutation(n: number): Int32Array;
}

/** Tensors on disk, under Transformers' names or any others. Closed when it is collected. */
export interface NativeTensors {
	/** `dtype` as safetensors spells it: F32, BF16, I64, ... */
	readonly tensors: readonly { readonly name: string; readonly dtype: string; readonly shape: readonly number[] }[];
	/** Values of tensors[place], row-major, as float32; throws TENSOR_DTYPE where it is not F32, F16, BF16 or F64. On the calling thread. */
	read(place: number): Float32Array;
}

export interface WeightsCopy {
	readonly weights: string;
	readonly shape: ModelShape;
	readonly head: Head;
	/** What is written: F32, or with 'bf16' and 'int8' what a predictor of that dtype keeps (docs/model-folder.md). @default 'fp32' */
	readonly dtype?: Dtype | undefined;
}

/** Where rows lie in a token file (lib/train/token-file.ts); positions in bytes. */
export interface TokenLayout {
	readonly rows: number;
	readonly tokens: number;
	readonly idBytes: 2 | 4;
	readonly idsAt: number;
	readonly offsetsAt: number;
}

/** Rows of a mapped token file. Closed when it is collected. */
export interface NativeTokenRows {
	/** int32[rows]: tokens of each row. Throws TOKENS_INVALID. */
	lengths(): Int32Array;
	/** Copies of the rows with these numbers, in this order. On the calling thread. Throws ROW_UNKNOWN or TOKENS_INVALID. */
	read(rows: Int32Array): RaggedBatch;
}

export interface BaseAddon {
	readonly Tokenizer: new (spec: TokenizerSpec) => NativeTokenizer;
	/** Reads the weights off the calling thread. */
	openPredictor(options: PredictorOptions): Promise<NativePredictor>;
	/** The weights of a model as safetensors under Transformers' names, with another head; straight to `path`, flushed to the disk. */
	saveWeights(model: WeightsCopy, path: string): Promise<void>;
	/** What saveWeights would have to be told to keep all numbers as they are; 'fp32' where they are of mixed or other types. Reads no values. */
	weightsDtype(path: string, shape: ModelShape): Promise<Dtype>;
	/** Copies the features; begins with a head of zeros. */
	openHeadFit(options: HeadFitOptions): Promise<NativeHeadFit>;
	readonly Generator: new (seed: number | bigint) => Generator;
	/** dlopen / LoadLibrary of an absolute path; throws with code LIBRARY_OPEN_FAILED and the system's own words. */
	openLibrary(path: string, options: { readonly global: boolean }): void;
	/** Absolute paths of shared libraries mapped into this process (Linux; empty elsewhere). */
	mappedLibraries(): string[];
	/**
	 * Instruction set the kernels chose (DISTILTUNE_ISA forces a lower one), those that multiply bytes and bf16, whether bf16 is multiplied natively,
	 * and physical cores.
	 */
	cpu(): {
		readonly isa: 'avx512' | 'avx2' | 'neon' | 'scalar';
		readonly int8: string;
		readonly bf16Isa: string;
		readonly bf16: boolean;
		readonly cores: number;
	};
	/** The tensors of a file of weights of any form (native/files/tensor_source.h), or of an index and its shards; no values are read yet. */
	openTensors(path: string): NativeTensors;
	/** Throws FILE_NOT_FOUND, FILE_NOT_READABLE, or TOKENS_INVALID where the rows do not lie in the file. */
	openTokenRows(path: string, layout: TokenLayout): NativeTokenRows;
}

/** What is made small: computed in double, a mean over the batch. Combinations without a meaning are refused with LOSS_INVALID. */
export interface LossOptions {
	/**
	 * single_label: softmax cross entropy; multi_label: binary cross entropy of each output; both of logits. regression: mean squared error.
	 * Only single_label takes what follows.
	 */
	readonly kind: 'single_label' | 'multi_label' | 'regression';
	/** From 0 to 1: the share of each row's weight that is spread evenly over all classes. */
	readonly labelSmoothing: number;
	/** One for each class, from 0 up; the mean is then divided by the weights of the rows' classes, as torch's is. */
	readonly classWeights?: readonly number[];
	/** Rows count (1 - p)^gamma (Lin et al., arXiv 1708.02002); not beside labelSmoothing or classWeights. */
	readonly focalGamma?: number;
}

/** bf16: operands of the products of linear layers and of attention are rounded to bfloat16, weights and gradients too; all else is fp32, sums included. */
export type TrainingDtype = (typeof trainingDtypes)[number];
export const trainingDtypes = ['fp32', 'bf16'] as const;

export interface SessionOptions {
	/** Absolute path of weights as in PredictorOptions, with or without a head; BERT-named encoders fold in. */
	readonly weights: string;
	readonly shape: ModelShape;
	readonly dropout: number;
	readonly attentionDropout: number;
	readonly classifierDropout: number;
	/** Standard deviation of a newly drawn head. */
	readonly initializerRange: number;
	/** Seeds the head's values where the file has none, and the dropout masks. */
	readonly seed: number;
	/** Where in the seed's stream a new head is drawn: at once (Transformers 5), or after all that the constructors of the whole model draw (4.18). */
	readonly headDraws: 'first' | 'afterConstructors';
	readonly loss: LossOptions;
	readonly optimizer: {
		/** torch's AdamW, or that of Transformers up to 4 (epsilon beside the uncorrected root, decay after the update). */
		readonly flavor: 'adamw_torch' | 'adamw_hf';
		readonly beta1: number;
		readonly beta2: number;
		readonly epsilon: number;
		/** Applied to every parameter but biases and LayerNorm. */
		readonly weightDecay: number;
		/** 0 disables clipping. */
		readonly maxGradNorm: number;
	};
	/** Left as they are, without gradients and moments: the embeddings and so many layers from below. @default nothing */
	readonly frozen?: { readonly layers: number } | undefined;
	readonly threads: number;
	/** 'cpu': our kernels; 'aten': plain ATen, the slow twin, fp32 whatever `dtype` says. */
	readonly ops: 'cpu' | 'aten';
	readonly dtype: TrainingDtype;
}

export interface StepResult {
	/** Mean loss of each micro-batch, undivided. */
	readonly losses: Float64Array;
	/** L2 norm of the gradients of all that is trained, pending ones included, before clipping; summed in double. */
	readonly gradNorm: number;
}

export interface Moments {
	readonly first: Float32Array;
	readonly second: Float32Array;
}

/** What dropout and AdamW hang on beside values; belongs to a state that was saved. */
export interface Counters {
	/** Optimizer steps taken. */
	readonly steps: number;
	/** Micro-batches seen, those of failed steps too. */
	readonly microBatches: number;
	/** Micro-batches whose gradients are pending. */
	readonly pending: number;
}

/**
 * Calls take turns: one made during another rejects with SESSION_BUSY. What is refused before it computes (SESSION_BUSY, BATCH_INVALID,
 * PARAMETER_UNKNOWN) changes nothing. A step or accumulate that fails later (NON_FINITE, CANCELLED) leaves parameters and moments as
 * they were and drops all pending gradients, those of earlier calls too: what a failed batch has added cannot be taken out again.
 */
export interface NativeSession {
	/** Parameters the file did not have and that were drawn from the seed. */
	readonly initialized: readonly string[];
	/** Keys of the file that a classifier has no use for. */
	readonly ignored: readonly string[];
	/**
	 * Adds the gradients of one or more micro-batches, each one's mean loss divided by `divisor` (their number by default), to those
	 * pending, then clips, updates all parameters and clears the gradients.
	 */
	step(batches: readonly RaggedBatch[], learningRate: number, divisor?: number): Promise<StepResult>;
	/** Adds gradients as `step` does and leaves them pending. Resolves with the mean loss of each micro-batch, undivided. */
	accumulate(batches: readonly RaggedBatch[], divisor: number): Promise<Float64Array>;
	/** Evaluation mode, no dropout: float32[rows * labels]. */
	logits(batch: RaggedBatch): Promise<Float32Array>;
	/** A copy of one parameter by its checkpoint name. */
	parameter(name: string): Promise<Float32Array>;
	/** A copy of its pending gradient, before clipping; zeros where nothing is pending or it is frozen. */
	gradient(name: string): Promise<Float32Array>;
	/** Copies of its moments: running means of the gradient and of its square, without bias correction; zeros where it is frozen. */
	moments(name: string): Promise<Moments>;
	/** Writes all parameters as F32 safetensors to `path` (the caller owns temporary names and renames). Rejects with NON_FINITE where one is no number. */
	saveWeights(path: string): Promise<void>;
	/** Writes moments and pending gradients to `path`, likewise: exp_avg.NAME, exp_avg_sq.NAME, and gradient.NAME where one is pending. */
	saveState(path: string): Promise<Counters>;
	/** Reads them back into a session opened with the weights of that moment; it then goes on bit for bit. Rejects with STATE_INVALID; the session is then good for nothing. */
	loadState(path: string, counters: Counters): Promise<void>;
	/** Frees native memory; waits for a running call. Later calls reject with SESSION_CLOSED. Closing twice is fine. */
	close(): Promise<void>;
}

export interface EngineAddon {
	/** major.minor.patch of the libtorch headers this engine was built with. */
	readonly torchVersion: string;
	openSession(options: SessionOptions): Promise<NativeSession>;
}
