import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Folders whose files take longest; a long one begun last would keep one worker busy while the others have nothing left. */
const SLOW = [
  '/test/faults/',
  '/test/fuzz/',
  '/test/destinations/',
  '/test/warehouse/',
  '/test/engine/',
  '/test/flows/',
];

/** Files of slow folders first, each group as vitest sorts it. */
export class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const rank = ({ moduleId }: TestSpecification) => {
      const at = SLOW.findIndex((folder) => moduleId.includes(folder));
      return at === -1 ? SLOW.length : at;
    };
    return sorted.toSorted((a, b) => rank(a) - rank(b));
  }
}
