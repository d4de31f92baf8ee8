/** What a diagnosis says of a run. Codes last; docs/diagnosis.md has what each is found by. */

/** What explains most comes first. */
export const runFindingCodes = [
	'GRADIENT_EXPLODING',
	'GRADIENT_VANISHING',
	'LEARNING_RATE_TOO_HIGH',
	'LEARNING_RATE_TOO_LOW',
	'HEAD_NOT_TRAINED',
	'LABELS_SHUFFLED',
	'LOSS_NOT_FALLING',
	'ONE_CLASS_ONLY',
	'EVALUATION_LEAK',
	'TRAINING_FAR_BELOW_VALIDATION',
	'OVERFITTING',
	'TOO_FEW_ROWS',
	'EVALUATION_TOO_SMALL',
] as const;

export type RunFindingCode = (typeof runFindingCodes)[number];

export interface RunFinding {
	readonly code: RunFindingCode;
	/** What is wrong, in one sentence. */
	readonly symptom: string;
	/** The numbers that show it. */
	readonly evidence: string;
	/** What is the matter, most likely. */
	readonly cause: string;
	/** A command to paste, for a POSIX shell. Words in capitals are to be filled in. */
	readonly next: string;
	/** Where it began or was seen, if it has a place. */
	readonly step?: number;
	readonly epoch?: number;
}
