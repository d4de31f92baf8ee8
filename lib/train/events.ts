/** What a run tells while it goes: the types of its events and of what it leaves. */

/** A ratio without a denominator counts as 0, as scikit-learn's zero_division=0. */
export interface Averages {
	readonly precision: number;
	readonly recall: number;
	readonly f1: number;
}

/** One label against all others. */
export interface LabelMetrics extends Averages {
	/** Rows that have this label. */
	readonly support: number;
	/** null where no row, or every row, has this label. Of one label a row only, as what follows. */
	readonly rocAuc?: number | null;
	/** null where no row has this label. */
	readonly averagePrecision?: number | null;
}

/**
 * A classifier measured, in double; docs/metrics.md has every definition. What is undefined for the rows at hand is null, and so is
 * all that is made of probabilities where one is not a number. Only `loss` (then, and of no rows) and `accuracy` (of no rows) are NaN,
 * which JSON writes as null. `precision`, `recall` and `f1` are means over the labels (macro).
 */
export interface ClassMetrics extends Averages {
	/** Mean cross entropy; smoothed as in training where `labelSmoothingFactor` asks for it. */
	readonly loss: number;
	readonly accuracy: number;
	/** Of the counts summed over all labels: each equals the accuracy. */
	readonly micro: Averages;
	/** Means over the labels weighted by support. */
	readonly weighted: Averages;
	/** Means over the labels that rows or predictions have: scikit-learn's macro where it is given no list of labels. */
	readonly macroPresent: Averages;
	/** Matthews correlation, from -1 to 1; 0 where it has no denominator. */
	readonly mcc: number;
	/** Cohen's kappa; null where chance alone agrees on every row. */
	readonly kappa: number | null;
	/** Of two labels that of the second; of more the mean over the labels, one against the rest. null where a label has no row. */
	readonly rocAuc: number | null;
	/** The mean over the labels, one against the rest, weighted by support. */
	readonly rocAucWeighted: number | null;
	/** The mean over all pairs of labels, one against one (Hand and Till). */
	readonly rocAucOvo: number | null;
	/** Of two labels that of the second; of more the mean over the labels. */
	readonly averagePrecision: number | null;
	/** Mean cross entropy, never smoothed, with probabilities clipped to [2^-52, 1 - 2^-52]. */
	readonly logLoss: number | null;
	/** Mean squared error of the probabilities: of two labels that of the second (0 to 1), of more summed over the labels (0 to 2). */
	readonly brier: number | null;
	/** The same, always summed over the labels (0 to 2). */
	readonly brierSum: number | null;
	/** Expected calibration error of the largest probability, in 15 bins of equal width. */
	readonly ece: number | null;
	/** Rows by actual (first index) and predicted label, in the order of the model's labels. null of more than 1,000 labels. */
	readonly confusion: readonly (readonly number[])[] | null;
	readonly perLabel: Readonly<Record<string, LabelMetrics>>;
}

/**
 * Any number of labels a row, each given where its probability is above one half. `loss`: mean binary cross entropy over rows and labels;
 * `accuracy`: share of rows with exactly their labels; `micro`: of the counts summed over all labels.
 */
export type MultiLabelMetrics = Pick<ClassMetrics, 'loss' | 'accuracy' | keyof Averages | 'micro' | 'weighted' | 'perLabel'>;

/** A number a row. */
export interface RegressionMetrics {
	/** Mean squared error. */
	readonly loss: number;
	readonly mse: number;
	/** Mean absolute error. */
	readonly mae: number;
	/** 1 - squared error / squared distance of the rows from their mean; of rows that are all alike 1 where each is met, else 0. */
	readonly r2: number;
	/** Correlation of values and predictions; 0 where either are all alike. */
	readonly pearson: number;
}

/** What is measured, by kind of problem. */
export interface MetricsOf {
	readonly single_label_classification: ClassMetrics;
	readonly multi_label_classification: MultiLabelMetrics;
	readonly regression: RegressionMetrics;
}

/** Of whatever kind of problem. */
export type Metrics = Pick<ClassMetrics, 'loss'> & Partial<ClassMetrics & RegressionMetrics>;

/** Where a run stands. `epoch` counts passes, 1.5 being the middle of the second. */
export interface Position {
	/** Optimizer steps taken. */
	readonly step: number;
	readonly epoch: number;
}

/** An entry of the loss log: means since the entry before. */
export interface LogEntry extends Position {
	readonly loss: number;
	/** L2 norm of the gradients of this step, before clipping. */
	readonly gradNorm: number;
	/** Rate this step was taken at. */
	readonly learningRate: number;
}

/** A model measured on a set of rows. */
export interface Measured {
	readonly metrics: Metrics;
	readonly rows: number;
	readonly seconds: number;
}

export interface Evaluation extends Position, Measured {
	/** Loss of the latest log entry before this evaluation, as Transformers' table shows it; null where there was none yet. */
	readonly loggedLoss: number | null;
	/** Mean loss of the batches of this epoch so far. */
	readonly epochLoss: number;
}

/** Speed and size of a whole run. */
export interface Timings {
	/** Of the steps and evaluations, without reading and saving. */
	readonly trainSeconds: number;
	/** Evaluations left out. */
	readonly stepsPerSecond: number;
	readonly tokensPerSecond: number;
	readonly peakRssBytes: number;
}

export type TrainerEvent =
	| {
			readonly type: 'trainBegin';
			readonly model: string;
			readonly labels: readonly string[];
			readonly rows: number;
			/** 0 where nothing is measured. */
			readonly evalRows: number;
			readonly stepsPerEpoch: number;
			readonly totalSteps: number;
			readonly epochs: number;
			readonly evalStrategy: 'epoch' | 'steps' | 'no';
			/** What the linear layers multiply in. */
			readonly dtype: string;
			/** The checkpoint it goes on from; without it the run is at its beginning. */
			readonly resumedFrom?: { readonly path: string; readonly step: number };
			/** Spent on reading and tokenizing the rows, or on finding their tokens. */
			readonly readSeconds: number;
			/** Whether the tokens of all rows came from files of an earlier run, and no text was read. */
			readonly tokensFromCache: boolean;
	  }
	| ({ readonly type: 'epochBegin' } & Position)
	| ({ readonly type: 'step'; readonly tokens: number } & LogEntry)
	| ({ readonly type: 'log' } & LogEntry)
	/** Comes before the evaluation of the epoch. `loss`: mean over the epoch. */
	| ({ readonly type: 'epochEnd'; readonly loss: number } & Position)
	| ({ readonly type: 'evaluate' } & Evaluation)
	/** `path`: a checkpoint, or `outputDir` where the trained model was written. */
	| ({ readonly type: 'save'; readonly path: string } & Position)
	| { readonly type: 'warning'; readonly code: string; readonly message: string }
	| ({ readonly type: 'trainEnd'; readonly loss: number; readonly timings: Timings } & Position);
