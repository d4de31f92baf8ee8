/** What a run tells while it goes: the types of its events and of what it leaves. */
/** Precision, recall and F1 are means over the labels (macro); a ratio without a denominator counts as 0. */
export interface Metrics {
	/** Mean cross entropy; smoothed as in training where `labelSmoothingFactor` asks for it. */
	readonly loss: number;
	readonly accuracy: number;
	readonly precision: number;
	readonly recall: number;
	readonly f1: number;
}

export interface LabelMetrics {
	readonly precision: number;
	readonly recall: number;
	readonly f1: number;
	/** Rows that have this label. */
	readonly support: number;
}

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
	readonly labels: Readonly<Record<string, LabelMetrics>>;
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
	  }
	| ({ readonly type: 'epochBegin' } & Position)
	| ({ readonly type: 'step'; readonly tokens: number } & LogEntry)
	| ({ readonly type: 'log' } & LogEntry)
	/** Comes before the evaluation of the epoch. `loss`: mean over the epoch. */
	| ({ readonly type: 'epochEnd'; readonly loss: number } & Position)
	| ({ readonly type: 'evaluate' } & Evaluation)
	| ({ readonly type: 'save'; readonly path: string } & Position)
	| { readonly type: 'warning'; readonly code: string; readonly message: string }
	| ({ readonly type: 'trainEnd'; readonly loss: number; readonly timings: Timings } & Position);
