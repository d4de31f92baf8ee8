/** Answers of `predict` as lines: for people, as JSON, as a table. One line a text, also where a text could not be read. */
import { csvLine } from '../data/csv.js';
import { defaultSeparator } from '../data/labels.js';
import type { DataError } from '../errors.js';
import type { PredictionOf, RankedLabel } from '../model/answer.js';
import type { ProblemType } from '../model/config.js';

export type Answer = PredictionOf[ProblemType] | readonly RankedLabel[];

export interface AnswerLines {
	/** What stands before the first line. */
	readonly header: string;
	answer(answer: Answer, text: string): string;
	refusal(error: DataError): string;
}

/** { code, message, line } of a row that could not be read, under `error`. */
export const jsonLines: AnswerLines = {
	header: '',
	answer: (answer) => `${JSON.stringify(answer)}\n`,
	refusal: ({ code, message, line }) => `${JSON.stringify({ error: { code, message, line } })}\n`,
};

/** What was found, and the beginning of the text. */
export const wordLines: AnswerLines = {
	header: '',
	answer: (answer, text) => `${wordsOf(answer)}\t${text.replace(/\s+/g, ' ').slice(0, 80)}\n`,
	refusal: ({ message }) => `error: ${message}\n`,
};

/** The label and its score; all labels with theirs; or the number. */
function wordsOf(answer: Answer): string {
	const withScore = ({ label, score }: RankedLabel) => `${label} ${score.toFixed(4)}`;
	if (isRanked(answer)) return answer.map(withScore).join(', ') || '(none)';
	if ('value' in answer) return String(Number(answer.value.toPrecision(6)));
	if ('label' in answer) return `${answer.label}\t${answer.score.toFixed(4)}`;
	return answer.labels.map((label) => withScore({ label, score: answer.scores[label] as number })).join(', ') || '(none)';
}

/**
 * A table with a header: what was found, the score of each label under score_LABEL, truncated, tokens, and error, which is empty for a row
 * that could be read. Several labels are parted by '|'. With `topK`: label_1, score_1 and so on, and error.
 */
export function tableLines(problemType: ProblemType, labels: readonly string[], topK: number | undefined, delimiter: ',' | '\t'): AnswerLines {
	const names = topK === undefined ? plainNames(problemType, labels) : rankedNames(Math.min(topK, labels.length));
	const blank = names.map(() => '');
	return {
		header: csvLine([...names, 'error'], delimiter),
		answer: (answer) => csvLine([...cellsOf(answer, labels), ...blank, ''].slice(0, names.length + 1), delimiter),
		refusal: ({ message }) => csvLine([...blank, message], delimiter),
	};
}

function plainNames(problemType: ProblemType, labels: readonly string[]): string[] {
	const found = {
		single_label_classification: ['label', 'score', ...labels.map((label) => `score_${label}`)],
		multi_label_classification: ['labels', ...labels.map((label) => `score_${label}`)],
		regression: ['value'],
	};
	return [...found[problemType], 'truncated', 'tokens'];
}

const rankedNames = (count: number): string[] => Array.from({ length: count }, (_, place) => [`label_${place + 1}`, `score_${place + 1}`]).flat();

/** A list may be shorter than its columns. */
function cellsOf(answer: Answer, labels: readonly string[]): string[] {
	if (isRanked(answer)) return answer.flatMap(({ label, score }) => [label, String(score)]);
	const extent = [String(answer.truncated), String(answer.tokens)];
	if ('value' in answer) return [String(answer.value), ...extent];
	const found = 'label' in answer ? [answer.label, String(answer.score)] : [answer.labels.join(defaultSeparator)];
	return [...found, ...labels.map((label) => String(answer.scores[label])), ...extent];
}

const isRanked = (answer: Answer): answer is readonly RankedLabel[] => Array.isArray(answer);
