#include "data/pg/errcode.h"

#include <string.h>

/* X(SQLSTATE, code, kind, retryable), in the order of SQLSTATE: appendix A of
 * PostgreSQL's manual. What was refused and may be tried again is retryable.
 * Of the data exceptions (22) "constraint" are those that a value has, which
 * the caller may have sent: a routes' caller is told that it is not allowed.
 * "usage" are those of what the statement computes with it, as a division by
 * zero: that is the statement's own to avoid, as is 21000. */
#define CODES(X)                                                               \
    X("03000", "PG_SQL_STATEMENT_NOT_YET_COMPLETE", "usage", false)            \
    X("08000", "PG_CONNECTION_EXCEPTION", "connection", true)                  \
    X("08001", "PG_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION", "connection", \
      true)                                                                    \
    X("08003", "PG_CONNECTION_DOES_NOT_EXIST", "connection", true)             \
    X("08004", "PG_SQLSERVER_REJECTED_ESTABLISHMENT_OF_SQLCONNECTION",         \
      "connection", true)                                                      \
    X("08006", "PG_CONNECTION_FAILURE", "connection", true)                    \
    X("08007", "PG_TRANSACTION_RESOLUTION_UNKNOWN", "connection", true)        \
    X("08P01", "PG_PROTOCOL_VIOLATION", "connection", true)                    \
    X("09000", "PG_TRIGGERED_ACTION_EXCEPTION", "usage", false)                \
    X("0A000", "PG_FEATURE_NOT_SUPPORTED", "usage", false)                     \
    X("0B000", "PG_INVALID_TRANSACTION_INITIATION", "usage", false)            \
    X("0F000", "PG_LOCATOR_EXCEPTION", "usage", false)                         \
    X("0F001", "PG_INVALID_LOCATOR_SPECIFICATION", "usage", false)             \
    X("0L000", "PG_INVALID_GRANTOR", "usage", false)                           \
    X("0LP01", "PG_INVALID_GRANT_OPERATION", "usage", false)                   \
    X("0P000", "PG_INVALID_ROLE_SPECIFICATION", "usage", false)                \
    X("0Z000", "PG_DIAGNOSTICS_EXCEPTION", "usage", false)                     \
    X("0Z002", "PG_STACKED_DIAGNOSTICS_ACCESSED_WITHOUT_ACTIVE_HANDLER",       \
      "usage", false)                                                          \
    X("20000", "PG_CASE_NOT_FOUND", "usage", false)                            \
    X("21000", "PG_CARDINALITY_VIOLATION", "usage", false)                     \
    X("22000", "PG_DATA_EXCEPTION", "constraint", false)                       \
    X("22001", "PG_STRING_DATA_RIGHT_TRUNCATION", "constraint", false)         \
    X("22002", "PG_NULL_VALUE_NO_INDICATOR_PARAMETER", "usage", false)         \
    X("22003", "PG_NUMERIC_VALUE_OUT_OF_RANGE", "constraint", false)           \
    X("22004", "PG_NULL_VALUE_NOT_ALLOWED", "constraint", false)               \
    X("22005", "PG_ERROR_IN_ASSIGNMENT", "usage", false)                       \
    X("22007", "PG_INVALID_DATETIME_FORMAT", "constraint", false)              \
    X("22008", "PG_DATETIME_FIELD_OVERFLOW", "constraint", false)              \
    X("22009", "PG_INVALID_TIME_ZONE_DISPLACEMENT_VALUE", "constraint", false) \
    X("2200B", "PG_ESCAPE_CHARACTER_CONFLICT", "constraint", false)            \
    X("2200C", "PG_INVALID_USE_OF_ESCAPE_CHARACTER", "constraint", false)      \
    X("2200D", "PG_INVALID_ESCAPE_OCTET", "constraint", false)                 \
    X("2200F", "PG_ZERO_LENGTH_CHARACTER_STRING", "constraint", false)         \
    X("2200G", "PG_MOST_SPECIFIC_TYPE_MISMATCH", "usage", false)               \
    X("2200H", "PG_SEQUENCE_GENERATOR_LIMIT_EXCEEDED", "full", false)          \
    X("2200L", "PG_NOT_AN_XML_DOCUMENT", "constraint", false)                  \
    X("2200M", "PG_INVALID_XML_DOCUMENT", "constraint", false)                 \
    X("2200N", "PG_INVALID_XML_CONTENT", "constraint", false)                  \
    X("2200S", "PG_INVALID_XML_COMMENT", "constraint", false)                  \
    X("2200T", "PG_INVALID_XML_PROCESSING_INSTRUCTION", "constraint", false)   \
    X("22010", "PG_INVALID_INDICATOR_PARAMETER_VALUE", "usage", false)         \
    X("22011", "PG_SUBSTRING_ERROR", "usage", false)                           \
    X("22012", "PG_DIVISION_BY_ZERO", "usage", false)                          \
    X("22013", "PG_INVALID_PRECEDING_OR_FOLLOWING_SIZE", "usage", false)       \
    X("22014", "PG_INVALID_ARGUMENT_FOR_NTILE_FUNCTION", "usage", false)       \
    X("22015", "PG_INTERVAL_FIELD_OVERFLOW", "constraint", false)              \
    X("22016", "PG_INVALID_ARGUMENT_FOR_NTH_VALUE_FUNCTION", "usage", false)   \
    X("22018", "PG_INVALID_CHARACTER_VALUE_FOR_CAST", "constraint", false)     \
    X("22019", "PG_INVALID_ESCAPE_CHARACTER", "usage", false)                  \
    X("2201B", "PG_INVALID_REGULAR_EXPRESSION", "constraint", false)           \
    X("2201E", "PG_INVALID_ARGUMENT_FOR_LOGARITHM", "usage", false)            \
    X("2201F", "PG_INVALID_ARGUMENT_FOR_POWER_FUNCTION", "usage", false)       \
    X("2201G", "PG_INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION", "usage",       \
      false)                                                                   \
    X("2201W", "PG_INVALID_ROW_COUNT_IN_LIMIT_CLAUSE", "constraint", false)    \
    X("2201X", "PG_INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE", "constraint",   \
      false)                                                                   \
    X("22021", "PG_CHARACTER_NOT_IN_REPERTOIRE", "constraint", false)          \
    X("22022", "PG_INDICATOR_OVERFLOW", "usage", false)                        \
    X("22023", "PG_INVALID_PARAMETER_VALUE", "constraint", false)              \
    X("22024", "PG_UNTERMINATED_C_STRING", "usage", false)                     \
    X("22025", "PG_INVALID_ESCAPE_SEQUENCE", "constraint", false)              \
    X("22026", "PG_STRING_DATA_LENGTH_MISMATCH", "constraint", false)          \
    X("22027", "PG_TRIM_ERROR", "usage", false)                                \
    X("2202E", "PG_ARRAY_ELEMENT_ERROR", "usage", false)                       \
    X("2202G", "PG_INVALID_TABLESAMPLE_REPEAT", "usage", false)                \
    X("2202H", "PG_INVALID_TABLESAMPLE_ARGUMENT", "usage", false)              \
    X("22030", "PG_DUPLICATE_JSON_OBJECT_KEY_VALUE", "constraint", false)      \
    X("22031", "PG_INVALID_ARGUMENT_FOR_SQL_JSON_DATETIME_FUNCTION",           \
      "constraint", false)                                                     \
    X("22032", "PG_INVALID_JSON_TEXT", "constraint", false)                    \
    X("22033", "PG_INVALID_SQL_JSON_SUBSCRIPT", "constraint", false)           \
    X("22034", "PG_MORE_THAN_ONE_SQL_JSON_ITEM", "constraint", false)          \
    X("22035", "PG_NO_SQL_JSON_ITEM", "constraint", false)                     \
    X("22036", "PG_NON_NUMERIC_SQL_JSON_ITEM", "constraint", false)            \
    X("22037", "PG_NON_UNIQUE_KEYS_IN_A_JSON_OBJECT", "constraint", false)     \
    X("22038", "PG_SINGLETON_SQL_JSON_ITEM_REQUIRED", "constraint", false)     \
    X("22039", "PG_SQL_JSON_ARRAY_NOT_FOUND", "constraint", false)             \
    X("2203A", "PG_SQL_JSON_MEMBER_NOT_FOUND", "constraint", false)            \
    X("2203B", "PG_SQL_JSON_NUMBER_NOT_FOUND", "constraint", false)            \
    X("2203C", "PG_SQL_JSON_OBJECT_NOT_FOUND", "constraint", false)            \
    X("2203D", "PG_TOO_MANY_JSON_ARRAY_ELEMENTS", "constraint", false)         \
    X("2203E", "PG_TOO_MANY_JSON_OBJECT_MEMBERS", "constraint", false)         \
    X("2203F", "PG_SQL_JSON_SCALAR_REQUIRED", "constraint", false)             \
    X("2203G", "PG_SQL_JSON_ITEM_CANNOT_BE_CAST_TO_TARGET_TYPE", "constraint", \
      false)                                                                   \
    X("22P01", "PG_FLOATING_POINT_EXCEPTION", "usage", false)                  \
    X("22P02", "PG_INVALID_TEXT_REPRESENTATION", "constraint", false)          \
    X("22P03", "PG_INVALID_BINARY_REPRESENTATION", "constraint", false)        \
    X("22P04", "PG_BAD_COPY_FILE_FORMAT", "constraint", false)                 \
    X("22P05", "PG_UNTRANSLATABLE_CHARACTER", "constraint", false)             \
    X("22P06", "PG_NONSTANDARD_USE_OF_ESCAPE_CHARACTER", "usage", false)       \
    X("23000", "PG_INTEGRITY_CONSTRAINT_VIOLATION", "constraint", false)       \
    X("23001", "PG_RESTRICT_VIOLATION", "foreign-key", false)                  \
    X("23502", "PG_NOT_NULL_VIOLATION", "not-null", false)                     \
    X("23503", "PG_FOREIGN_KEY_VIOLATION", "foreign-key", false)               \
    X("23505", "PG_UNIQUE_VIOLATION", "unique", false)                         \
    X("23514", "PG_CHECK_VIOLATION", "check", false)                           \
    X("23P01", "PG_EXCLUSION_VIOLATION", "constraint", false)                  \
    X("24000", "PG_INVALID_CURSOR_STATE", "usage", false)                      \
    X("25000", "PG_INVALID_TRANSACTION_STATE", "usage", false)                 \
    X("25001", "PG_ACTIVE_SQL_TRANSACTION", "usage", false)                    \
    X("25002", "PG_BRANCH_TRANSACTION_ALREADY_ACTIVE", "usage", false)         \
    X("25003", "PG_INAPPROPRIATE_ACCESS_MODE_FOR_BRANCH_TRANSACTION", "usage", \
      false)                                                                   \
    X("25004", "PG_INAPPROPRIATE_ISOLATION_LEVEL_FOR_BRANCH_TRANSACTION",      \
      "usage", false)                                                          \
    X("25005", "PG_NO_ACTIVE_SQL_TRANSACTION_FOR_BRANCH_TRANSACTION", "usage", \
      false)                                                                   \
    X("25006", "PG_READ_ONLY_SQL_TRANSACTION", "readonly", false)              \
    X("25007", "PG_SCHEMA_AND_DATA_STATEMENT_MIXING_NOT_SUPPORTED", "usage",   \
      false)                                                                   \
    X("25008", "PG_HELD_CURSOR_REQUIRES_SAME_ISOLATION_LEVEL", "usage", false) \
    X("25P01", "PG_NO_ACTIVE_SQL_TRANSACTION", "usage", false)                 \
    X("25P02", "PG_IN_FAILED_SQL_TRANSACTION", "usage", false)                 \
    X("25P03", "PG_IDLE_IN_TRANSACTION_SESSION_TIMEOUT", "timeout", true)      \
    X("26000", "PG_INVALID_SQL_STATEMENT_NAME", "usage", false)                \
    X("27000", "PG_TRIGGERED_DATA_CHANGE_VIOLATION", "usage", false)           \
    X("28000", "PG_INVALID_AUTHORIZATION_SPECIFICATION", "permission", false)  \
    X("28P01", "PG_INVALID_PASSWORD", "permission", false)                     \
    X("2B000", "PG_DEPENDENT_PRIVILEGE_DESCRIPTORS_STILL_EXIST", "usage",      \
      false)                                                                   \
    X("2BP01", "PG_DEPENDENT_OBJECTS_STILL_EXIST", "usage", false)             \
    X("2D000", "PG_INVALID_TRANSACTION_TERMINATION", "usage", false)           \
    X("2F000", "PG_SQL_ROUTINE_EXCEPTION", "usage", false)                     \
    X("2F002", "PG_MODIFYING_SQL_DATA_NOT_PERMITTED", "usage", false)          \
    X("2F003", "PG_PROHIBITED_SQL_STATEMENT_ATTEMPTED", "usage", false)        \
    X("2F004", "PG_READING_SQL_DATA_NOT_PERMITTED", "usage", false)            \
    X("2F005", "PG_FUNCTION_EXECUTED_NO_RETURN_STATEMENT", "usage", false)     \
    X("34000", "PG_INVALID_CURSOR_NAME", "usage", false)                       \
    X("38000", "PG_EXTERNAL_ROUTINE_EXCEPTION", "usage", false)                \
    X("38001", "PG_CONTAINING_SQL_NOT_PERMITTED", "usage", false)              \
    X("38002", "PG_MODIFYING_SQL_DATA_NOT_PERMITTED", "usage", false)          \
    X("38003", "PG_PROHIBITED_SQL_STATEMENT_ATTEMPTED", "usage", false)        \
    X("38004", "PG_READING_SQL_DATA_NOT_PERMITTED", "usage", false)            \
    X("39000", "PG_EXTERNAL_ROUTINE_INVOCATION_EXCEPTION", "usage", false)     \
    X("39001", "PG_INVALID_SQLSTATE_RETURNED", "usage", false)                 \
    X("39004", "PG_NULL_VALUE_NOT_ALLOWED", "usage", false)                    \
    X("39P01", "PG_TRIGGER_PROTOCOL_VIOLATED", "usage", false)                 \
    X("39P02", "PG_SRF_PROTOCOL_VIOLATED", "usage", false)                     \
    X("39P03", "PG_EVENT_TRIGGER_PROTOCOL_VIOLATED", "usage", false)           \
    X("3B000", "PG_SAVEPOINT_EXCEPTION", "usage", false)                       \
    X("3B001", "PG_INVALID_SAVEPOINT_SPECIFICATION", "usage", false)           \
    X("3D000", "PG_INVALID_CATALOG_NAME", "cant-open", false)                  \
    X("3F000", "PG_INVALID_SCHEMA_NAME", "schema", false)                      \
    X("40000", "PG_TRANSACTION_ROLLBACK", "busy", true)                        \
    X("40001", "PG_SERIALIZATION_FAILURE", "busy", true)                       \
    X("40002", "PG_TRANSACTION_INTEGRITY_CONSTRAINT_VIOLATION", "busy", true)  \
    X("40003", "PG_STATEMENT_COMPLETION_UNKNOWN", "abort", false)              \
    X("40P01", "PG_DEADLOCK_DETECTED", "busy", true)                           \
    X("42000", "PG_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION", "syntax", false)    \
    X("42501", "PG_INSUFFICIENT_PRIVILEGE", "permission", false)               \
    X("42601", "PG_SYNTAX_ERROR", "syntax", false)                             \
    X("42602", "PG_INVALID_NAME", "syntax", false)                             \
    X("42611", "PG_INVALID_COLUMN_DEFINITION", "syntax", false)                \
    X("42622", "PG_NAME_TOO_LONG", "syntax", false)                            \
    X("42701", "PG_DUPLICATE_COLUMN", "syntax", false)                         \
    X("42702", "PG_AMBIGUOUS_COLUMN", "syntax", false)                         \
    X("42703", "PG_UNDEFINED_COLUMN", "schema", false)                         \
    X("42704", "PG_UNDEFINED_OBJECT", "schema", false)                         \
    X("42710", "PG_DUPLICATE_OBJECT", "syntax", false)                         \
    X("42712", "PG_DUPLICATE_ALIAS", "syntax", false)                          \
    X("42723", "PG_DUPLICATE_FUNCTION", "syntax", false)                       \
    X("42725", "PG_AMBIGUOUS_FUNCTION", "syntax", false)                       \
    X("42803", "PG_GROUPING_ERROR", "syntax", false)                           \
    X("42804", "PG_DATATYPE_MISMATCH", "syntax", false)                        \
    X("42809", "PG_WRONG_OBJECT_TYPE", "syntax", false)                        \
    X("42830", "PG_INVALID_FOREIGN_KEY", "syntax", false)                      \
    X("42846", "PG_CANNOT_COERCE", "syntax", false)                            \
    X("42883", "PG_UNDEFINED_FUNCTION", "schema", false)                       \
    X("428C9", "PG_GENERATED_ALWAYS", "syntax", false)                         \
    X("42939", "PG_RESERVED_NAME", "syntax", false)                            \
    X("42P01", "PG_UNDEFINED_TABLE", "schema", false)                          \
    X("42P02", "PG_UNDEFINED_PARAMETER", "schema", false)                      \
    X("42P03", "PG_DUPLICATE_CURSOR", "syntax", false)                         \
    X("42P04", "PG_DUPLICATE_DATABASE", "syntax", false)                       \
    X("42P05", "PG_DUPLICATE_PREPARED_STATEMENT", "syntax", false)             \
    X("42P06", "PG_DUPLICATE_SCHEMA", "syntax", false)                         \
    X("42P07", "PG_DUPLICATE_TABLE", "syntax", false)                          \
    X("42P08", "PG_AMBIGUOUS_PARAMETER", "syntax", false)                      \
    X("42P09", "PG_AMBIGUOUS_ALIAS", "syntax", false)                          \
    X("42P10", "PG_INVALID_COLUMN_REFERENCE", "syntax", false)                 \
    X("42P11", "PG_INVALID_CURSOR_DEFINITION", "syntax", false)                \
    X("42P12", "PG_INVALID_DATABASE_DEFINITION", "syntax", false)              \
    X("42P13", "PG_INVALID_FUNCTION_DEFINITION", "syntax", false)              \
    X("42P14", "PG_INVALID_PREPARED_STATEMENT_DEFINITION", "syntax", false)    \
    X("42P15", "PG_INVALID_SCHEMA_DEFINITION", "syntax", false)                \
    X("42P16", "PG_INVALID_TABLE_DEFINITION", "syntax", false)                 \
    X("42P17", "PG_INVALID_OBJECT_DEFINITION", "syntax", false)                \
    X("42P18", "PG_INDETERMINATE_DATATYPE", "syntax", false)                   \
    X("42P19", "PG_INVALID_RECURSION", "syntax", false)                        \
    X("42P20", "PG_WINDOWING_ERROR", "syntax", false)                          \
    X("42P21", "PG_COLLATION_MISMATCH", "syntax", false)                       \
    X("42P22", "PG_INDETERMINATE_COLLATION", "syntax", false)                  \
    X("44000", "PG_WITH_CHECK_OPTION_VIOLATION", "check", false)               \
    X("53000", "PG_INSUFFICIENT_RESOURCES", "full", true)                      \
    X("53100", "PG_DISK_FULL", "full", true)                                   \
    X("53200", "PG_OUT_OF_MEMORY", "memory", true)                             \
    X("53300", "PG_TOO_MANY_CONNECTIONS", "busy", true)                        \
    X("53400", "PG_CONFIGURATION_LIMIT_EXCEEDED", "full", true)                \
    X("54000", "PG_PROGRAM_LIMIT_EXCEEDED", "too-big", false)                  \
    X("54001", "PG_STATEMENT_TOO_COMPLEX", "too-big", false)                   \
    X("54011", "PG_TOO_MANY_COLUMNS", "too-big", false)                        \
    X("54023", "PG_TOO_MANY_ARGUMENTS", "too-big", false)                      \
    X("55000", "PG_OBJECT_NOT_IN_PREREQUISITE_STATE", "usage", false)          \
    X("55006", "PG_OBJECT_IN_USE", "busy", true)                               \
    X("55P02", "PG_CANT_CHANGE_RUNTIME_PARAM", "usage", false)                 \
    X("55P03", "PG_LOCK_NOT_AVAILABLE", "busy", true)                          \
    X("55P04", "PG_UNSAFE_NEW_ENUM_VALUE_USAGE", "usage", false)               \
    X("57000", "PG_OPERATOR_INTERVENTION", "abort", false)                     \
    X("57014", "PG_QUERY_CANCELED", "abort", false)                            \
    X("57P01", "PG_ADMIN_SHUTDOWN", "connection", true)                        \
    X("57P02", "PG_CRASH_SHUTDOWN", "connection", true)                        \
    X("57P03", "PG_CANNOT_CONNECT_NOW", "connection", true)                    \
    X("57P04", "PG_DATABASE_DROPPED", "connection", false)                     \
    X("57P05", "PG_IDLE_SESSION_TIMEOUT", "connection", true)                  \
    X("58000", "PG_SYSTEM_ERROR", "io", false)                                 \
    X("58030", "PG_IO_ERROR", "io", false)                                     \
    X("58P01", "PG_UNDEFINED_FILE", "io", false)                               \
    X("58P02", "PG_DUPLICATE_FILE", "io", false)                               \
    X("72000", "PG_SNAPSHOT_TOO_OLD", "busy", true)                            \
    X("F0000", "PG_CONFIG_FILE_ERROR", "usage", false)                         \
    X("F0001", "PG_LOCK_FILE_EXISTS", "usage", false)                          \
    X("HV000", "PG_FDW_ERROR", "usage", false)                                 \
    X("HV001", "PG_FDW_OUT_OF_MEMORY", "usage", false)                         \
    X("HV002", "PG_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED", "usage", false)        \
    X("HV004", "PG_FDW_INVALID_DATA_TYPE", "usage", false)                     \
    X("HV005", "PG_FDW_COLUMN_NAME_NOT_FOUND", "usage", false)                 \
    X("HV006", "PG_FDW_INVALID_DATA_TYPE_DESCRIPTORS", "usage", false)         \
    X("HV007", "PG_FDW_INVALID_COLUMN_NAME", "usage", false)                   \
    X("HV008", "PG_FDW_INVALID_COLUMN_NUMBER", "usage", false)                 \
    X("HV009", "PG_FDW_INVALID_USE_OF_NULL_POINTER", "usage", false)           \
    X("HV00A", "PG_FDW_INVALID_STRING_FORMAT", "usage", false)                 \
    X("HV00B", "PG_FDW_INVALID_HANDLE", "usage", false)                        \
    X("HV00C", "PG_FDW_INVALID_OPTION_INDEX", "usage", false)                  \
    X("HV00D", "PG_FDW_INVALID_OPTION_NAME", "usage", false)                   \
    X("HV00J", "PG_FDW_OPTION_NAME_NOT_FOUND", "usage", false)                 \
    X("HV00K", "PG_FDW_REPLY_HANDLE", "usage", false)                          \
    X("HV00L", "PG_FDW_UNABLE_TO_CREATE_EXECUTION", "usage", false)            \
    X("HV00M", "PG_FDW_UNABLE_TO_CREATE_REPLY", "usage", false)                \
    X("HV00N", "PG_FDW_UNABLE_TO_ESTABLISH_CONNECTION", "usage", false)        \
    X("HV00P", "PG_FDW_NO_SCHEMAS", "usage", false)                            \
    X("HV00Q", "PG_FDW_SCHEMA_NOT_FOUND", "usage", false)                      \
    X("HV00R", "PG_FDW_TABLE_NOT_FOUND", "usage", false)                       \
    X("HV010", "PG_FDW_FUNCTION_SEQUENCE_ERROR", "usage", false)               \
    X("HV014", "PG_FDW_TOO_MANY_HANDLES", "usage", false)                      \
    X("HV021", "PG_FDW_INCONSISTENT_DESCRIPTOR_INFORMATION", "usage", false)   \
    X("HV024", "PG_FDW_INVALID_ATTRIBUTE_VALUE", "usage", false)               \
    X("HV090", "PG_FDW_INVALID_STRING_LENGTH_OR_BUFFER_LENGTH", "usage",       \
      false)                                                                   \
    X("HV091", "PG_FDW_INVALID_DESCRIPTOR_FIELD_IDENTIFIER", "usage", false)   \
    X("P0000", "PG_PLPGSQL_ERROR", "constraint", false)                        \
    X("P0001", "PG_RAISE_EXCEPTION", "constraint", false)                      \
    X("P0002", "PG_NO_DATA_FOUND", "constraint", false)                        \
    X("P0003", "PG_TOO_MANY_ROWS", "constraint", false)                        \
    X("P0004", "PG_ASSERT_FAILURE", "constraint", false)                       \
    X("XX000", "PG_INTERNAL_ERROR", "internal", false)                         \
    X("XX001", "PG_DATA_CORRUPTED", "corrupt", false)                          \
    X("XX002", "PG_INDEX_CORRUPTED", "corrupt", false)

static const struct {
    char state[6];
    const char *name, *kind;
    bool retryable;
} codes[] = {
#define X(state, name, kind, retryable) {state, name, kind, retryable},
    CODES(X)
#undef X
};

static int compare(uc_view state, size_t i)
{
    return memcmp(state.p, codes[i].state, 5);
}

const char *pg_errcode(uc_view state, const char **kind, bool *retryable)
{
    size_t low = 0, n = sizeof codes / sizeof *codes;

    while (state.len == 5 && low < n) {
        size_t mid = low + (n - low) / 2;
        int c = compare(state, mid);

        if (c == 0) {
            *kind = codes[mid].kind;
            *retryable = codes[mid].retryable;
            return codes[mid].name;
        }
        if (c < 0)
            n = mid;
        else
            low = mid + 1;
    }
    *kind = "internal";
    *retryable = false;
    return "PG_ERROR";
}
